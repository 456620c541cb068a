/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNTH_SYNTH_H
#define SYNTH_SYNTH_H

/*
 * `cairn synth`: invented patients with plausible CT, MR and MG series, for trying things out and
 * for tests.  The same seed gives the same bytes.  Nobody in it exists: names are put together from
 * syllables, manufacturers are invented, and the pictures are phantoms (ellipses, a lesion, noise).
 *
 *   population.c  who there is: patients, studies, series, from a seeded generator
 *   phantom.c     the pixels of one slice
 *   write.c       one instance as a Part 10 file
 *   main.c        the command
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "dicom/part10.h"

/* splitmix64: small, and the same everywhere. */
struct synth_random {
	uint64_t state;
};

uint64_t synth_next(struct synth_random *random);
/* 0 .. n-1 */
unsigned synth_below(struct synth_random *random, unsigned n);

enum synth_modality { SYNTH_CT, SYNTH_MR, SYNTH_MG };

struct synth_patient {
	unsigned index;
	char id[32];
	char name[64];      /* FAMILY^GIVEN */
	char birth_date[9]; /* YYYYMMDD */
	bool female;
	int32_t birth_day; /* days since 1970 */
	unsigned studies;  /* 1 or 2 */
};

struct synth_series {
	enum synth_modality modality;
	const char *body_part;
	const char *manufacturer;
	const char *model;
	const char *description;
	const char *protocol;
	double slice_thickness; /* mm; 0: none */
	unsigned slices;
	int32_t study_day;
	unsigned study_number, series_number;
	bool lesion;
	uint64_t picture_seed;
};

struct synth_options {
	uint64_t seed;
	unsigned patients;
	unsigned slices; /* of a CT or MR series */
	unsigned matrix; /* rows and columns */
};

void synth_patient_make(
    const struct synth_options *options, unsigned index, struct synth_patient *ret);
/* The series of a study; `ret` has room for SYNTH_SERIES_MAX. */
#define SYNTH_SERIES_MAX 4
size_t synth_series_make(const struct synth_options *options, const struct synth_patient *patient,
    unsigned study, struct synth_series *ret);

/* matrix * matrix pixels of 16 bits, of which 12 are used. */
void synth_phantom(
    const struct synth_series *series, unsigned slice, unsigned matrix, uint16_t *ret);

int synth_write(const char *path, const struct synth_options *options,
    const struct synth_patient *patient, const struct synth_series *series, unsigned slice,
    struct cairn_error *err);

#endif
