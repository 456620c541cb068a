/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VCF_NAMES_H
#define VCF_NAMES_H

/* Whose a sample is: by the site's table, or by a rule on its name.  Never a guess. */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#define NAMES_ROWS_MAX 1000000u
#define NAMES_BYTES_MAX ((size_t)64 << 20)
#define NAMES_TEXT_MAX 64u /* bytes of a patient's identifier, as the kernel takes it */

struct names;

struct names_options {
	const char *table;  /* CSV: sample,patient; NULL or "": none */
	const char *rule;   /* regular expression with one capture; NULL or "": none */
	bool rule_on_file;  /* the rule reads the file's name instead of the sample's */
	const char *normal; /* expression for samples that are a tumour's normal; "" none */
	const char *tumour;
};

int names_new(struct names **ret, const struct names_options *options, struct cairn_error *err);
void names_free(struct names *names);
/* The patient's identifier; false when neither table nor rule says one.  A row may name a sample
 * alone, or FILE:SAMPLE for names like TUMOR, which every file has. */
bool names_patient(
    const struct names *names, const char *file, const char *sample, char ret[NAMES_TEXT_MAX + 1]);
bool names_is_normal(const struct names *names, const char *sample);
bool names_is_tumour(const struct names *names, const char *sample);
size_t names_rows(const struct names *names);

#endif
