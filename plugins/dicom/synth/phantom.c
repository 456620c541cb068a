/* SPDX-License-Identifier: Apache-2.0 */
#include "synth.h"

/* An ellipse in the picture's coordinates, where both axes reach from -1 to 1. */
struct ellipse {
	double x, y, a, b;
	int value; /* replaces what lies under it */
};

static bool
inside(const struct ellipse *ellipse, double x, double y)
{
	double dx = (x - ellipse->x) / ellipse->a, dy = (y - ellipse->y) / ellipse->b;

	return dx * dx + dy * dy <= 1;
}

/* 12-bit values as stored; CT values are Hounsfield units plus 1024. */
static const struct ellipse ct[] = {{0, 0.1, 0.9, 0.65, 1064}, {-0.42, 0.05, 0.3, 0.42, 190},
    {0.42, 0.05, 0.3, 0.42, 190}, {0.1, 0.05, 0.2, 0.24, 1070}, {0, 0.55, 0.12, 0.12, 1650}};
static const struct ellipse mr[] = {{0, 0, 0.75, 0.85, 600}, {0, 0, 0.68, 0.78, 900},
    {-0.2, -0.1, 0.12, 0.3, 300}, {0.2, -0.1, 0.12, 0.3, 300}, {0, 0.4, 0.3, 0.2, 760}};
static const struct ellipse mg[] = {{-1, 0, 1.3, 0.85, 1400}, {-1, 0, 1.1, 0.65, 1900},
    {-0.5, 0.1, 0.35, 0.25, 2500}, {-1, -0.6, 0.3, 0.5, 2700}};

static int
tissue(const struct synth_series *series, double x, double y, double depth)
{
	const struct ellipse *shapes = series->modality == SYNTH_CT ? ct
	    : series->modality == SYNTH_MR                          ? mr
								    : mg;
	size_t count = series->modality == SYNTH_MG ? 4 : 5;
	struct ellipse lesion = {0.35, 0.1, 0.08, 0.08, series->modality == SYNTH_MR ? 1500 : 1090};
	int value = series->modality == SYNTH_CT ? 24 : 40;

	/* The body narrows towards the first and the last slice. */
	x /= 1 - 0.15 * depth * depth;
	y /= 1 - 0.15 * depth * depth;
	for (size_t i = 0; i < count; i++) {
		if (inside(&shapes[i], x, y))
			value = shapes[i].value;
	}
	if (series->modality == SYNTH_MG)
		lesion = (struct ellipse){-0.35, -0.15, 0.07, 0.06, 3200};
	if (series->lesion && depth * depth < 0.3 && inside(&lesion, x, y))
		value = lesion.value;
	return value;
}

void
synth_phantom(const struct synth_series *series, unsigned slice, unsigned matrix, uint16_t *ret)
{
	struct synth_random random = {series->picture_seed + slice};
	double depth = series->slices < 2 ? 0 : 2.0 * slice / (series->slices - 1) - 1;

	for (unsigned row = 0; row < matrix; row++) {
		for (unsigned column = 0; column < matrix; column++) {
			double x = 2.0 * column / matrix - 1, y = 2.0 * row / matrix - 1;
			int value = tissue(series, x, y, depth);

			/* The sum of two is nearly bell-shaped, which is all a phantom needs. */
			value += (int)synth_below(&random, 24) + (int)synth_below(&random, 24) - 23;
			ret[row * matrix + column] = (uint16_t)(value < 0 ? 0
				: value > 4095                            ? 4095
									  : value);
		}
	}
}
