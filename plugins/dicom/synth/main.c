/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "synth.h"

static int
usage(FILE *to)
{
	fputs("cairn synth: make plausible, reproducible DICOM series of invented patients\n\n"
	      "usage: cairn synth DIR [--patients N] [--seed S] [--slices K] [--matrix M]\n\n"
	      "  --patients N   default 20\n"
	      "  --seed S       default 1; the same seed gives the same bytes\n"
	      "  --slices K     of a CT or MR series; default 4\n"
	      "  --matrix M     rows and columns, 16 to 2048; default 128\n"
	      "  --json         print the totals as JSON\n\n"
	      "example:\n  cairn synth /tmp/hospital --patients 60 --seed 7\n",
	    to);
	return to == stdout ? 0 : 2;
}

static int
make_patient(const char *dir, const struct synth_options *options, unsigned index,
    unsigned *instances, struct cairn_error *err)
{
	struct synth_patient patient;
	struct synth_series series[SYNTH_SERIES_MAX];
	char path[PATH_MAX];

	synth_patient_make(options, index, &patient);
	for (unsigned study = 0; study < patient.studies; study++) {
		size_t count = synth_series_make(options, &patient, study, series);

		for (size_t i = 0; i < count; i++) {
			for (unsigned slice = 0; slice < series[i].slices; slice++) {
				int code;

				if (snprintf(path, sizeof path, "%s/p%06u-%u-%zu-%03u.dcm", dir,
					index + 1, study + 1, i + 1, slice + 1) >= (int)sizeof path)
					return cairn_error_set(
					    err, CAIRN_ELIMIT, "the path is too long: %s", dir);
				code = synth_write(path, options, &patient, &series[i], slice, err);
				if (code != 0)
					return code;
				(*instances)++;
			}
		}
	}
	return 0;
}

static int
make_all(const char *dir, const struct synth_options *options, bool json)
{
	struct cairn_error err = {0};
	unsigned instances = 0;
	int code = file_mkdirs(dir, 0755, &err);

	for (unsigned i = 0; code == 0 && i < options->patients; i++)
		code = make_patient(dir, options, i, &instances, &err);
	if (code != 0) {
		if (json)
			puts("{\"error\":{\"text\":\"cannot write\"}}");
		fprintf(stderr, "cairn synth: %s\n", err.text);
		return 1;
	}
	if (json)
		printf("{\"patients\":%u,\"instances\":%u,\"seed\":%llu}\n", options->patients,
		    instances, (unsigned long long)options->seed);
	else
		printf("%u patients, %u instances in %s (seed %llu)\n", options->patients,
		    instances, dir, (unsigned long long)options->seed);
	return 0;
}

static bool
take_number(const char *name, const char *text, int64_t min, int64_t max, int64_t *ret)
{
	if (text_to_integer(text, min, max, ret) == 0)
		return true;
	fprintf(stderr, "cairn synth: --%s takes a number from %lld to %lld, not '%s'\n", name,
	    (long long)min, (long long)max, text);
	return false;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"patients", required_argument, NULL, 'p'},
	    {"seed", required_argument, NULL, 's'}, {"slices", required_argument, NULL, 'k'},
	    {"matrix", required_argument, NULL, 'm'}, {"json", no_argument, NULL, 'j'},
	    {"home", required_argument, NULL, 'H'}, {"help", no_argument, NULL, 'h'}, {0}};
	int64_t patients = 20, seed = 1, slices = 4, matrix = 128;
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout);
		else if (option == 'j')
			json = true;
		else if (option == 'H')
			continue; /* every command takes it; this one needs no home */
		else if ((option == 'p' &&
			     take_number("patients", optarg, 1, 1000000, &patients)) ||
		    (option == 's' && take_number("seed", optarg, 0, INT64_MAX, &seed)) ||
		    (option == 'k' && take_number("slices", optarg, 1, 1000, &slices)) ||
		    (option == 'm' && take_number("matrix", optarg, 16, 2048, &matrix)))
			continue;
		else
			return 2;
	}
	if (optind + 1 != argc)
		return usage(stderr);
	return make_all(argv[optind],
	    &(struct synth_options){
		(uint64_t)seed, (unsigned)patients, (unsigned)slices, (unsigned)matrix},
	    json);
}
