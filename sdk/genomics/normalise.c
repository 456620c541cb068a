/* SPDX-License-Identifier: Apache-2.0 */
#include "genomics/normalise.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <htslib/faidx.h>
#include <htslib/hts_log.h>

#include "genomics/carriers.h"

bool
normalise_is_bases(const char *allele)
{
	return *allele != 0 && allele[strspn(allele, "ACGTNacgtn")] == 0;
}

static void
upper(char *text)
{
	for (; *text != 0; text++)
		*text = (char)toupper((unsigned char)*text);
}

void
normalise_trim(char *ref, char *alt, uint32_t *pos, const char **ret_ref, const char **ret_alt)
{
	size_t r = strlen(ref), a = strlen(alt);

	*ret_ref = ref;
	*ret_alt = alt;
	if (!normalise_is_bases(ref) || !normalise_is_bases(alt))
		return;
	upper(ref);
	upper(alt);
	while (r > 1 && a > 1 && ref[r - 1] == alt[a - 1]) {
		r--;
		a--;
	}
	ref[r] = alt[a] = 0;
	while (r > 1 && a > 1 && **ret_ref == **ret_alt) {
		++*ret_ref;
		++*ret_alt;
		++*pos;
		r--;
		a--;
	}
}

struct normalise {
	faidx_t *index;
};

int
normalise_open(struct normalise **ret, const char *fasta, struct cairn_error *err)
{
	struct normalise *normalise = calloc(1, sizeof *normalise);

	if (normalise == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	hts_set_log_level(HTS_LOG_OFF);
	normalise->index = fai_load3(fasta, NULL, NULL, 0);
	if (normalise->index == NULL) {
		free(normalise);
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "the reference %s cannot be opened: it must be FASTA with an index beside it "
		    "(samtools faidx %s)",
		    fasta, fasta);
	}
	*ret = normalise;
	return 0;
}

void
normalise_close(struct normalise *normalise)
{
	if (normalise == NULL)
		return;
	fai_destroy(normalise->index);
	free(normalise);
}

/* Bases from `start` to `end` (from 1, included), by the contig's name in either spelling. */
static char *
fetch(struct normalise *normalise, const char *contig, uint32_t start, uint32_t end)
{
	char other[280];
	hts_pos_t length = 0;
	char *bases;

	if (!faidx_has_seq(normalise->index, contig)) {
		snprintf(other, sizeof other, "chr%.255s", contig);
		contig = strncmp(contig, "chr", 3) == 0 ? carriers_plain_contig(contig) : other;
		if (!faidx_has_seq(normalise->index, contig))
			return NULL;
	}
	bases = faidx_fetch_seq64(
	    normalise->index, contig, (hts_pos_t)start - 1, (hts_pos_t)end - 1, &length);
	if (bases != NULL && length != (hts_pos_t)end - start + 1) {
		free(bases);
		return NULL;
	}
	for (hts_pos_t i = 0; bases != NULL && i < length; i++)
		bases[i] = (char)toupper((unsigned char)bases[i]);
	return bases;
}

/* How far a change of `unit` (what is inserted or deleted behind its anchor) rolls to the left:
 * while the base before equals the unit's last one.  `before` ends with the anchor. */
static uint32_t
roll(const char *before, size_t length, char *unit, size_t unit_length)
{
	uint32_t shift = 0;

	while (shift + 1 < length && before[length - 1 - shift] == unit[unit_length - 1] &&
	    before[length - 1 - shift] != 'N') {
		char last = unit[unit_length - 1];

		memmove(unit + 1, unit, unit_length - 1);
		unit[0] = last;
		shift++;
	}
	return shift;
}

static int
shifted(const char *unit, char anchor, bool insertion, char *ret[2])
{
	size_t length = strlen(unit);
	char *longer = malloc(length + 2), *shorter = malloc(2);

	if (longer == NULL || shorter == NULL) {
		free(longer);
		free(shorter);
		return CAIRN_ENOMEM;
	}
	longer[0] = shorter[0] = anchor;
	shorter[1] = 0;
	memcpy(longer + 1, unit, length + 1);
	ret[0] = insertion ? shorter : longer;
	ret[1] = insertion ? longer : shorter;
	return 0;
}

int
normalise_align(struct normalise *normalise, const char *contig, const char *ref, const char *alt,
    uint32_t *pos, char *ret[2], struct cairn_error *err)
{
	size_t r = strlen(ref), a = strlen(alt);
	uint32_t start = *pos > NORMALISE_SHIFT_MAX ? *pos - NORMALISE_SHIFT_MAX : 1, shift;
	char *bases, *unit;
	int code = 0;

	if (r == a || *pos == 0 || (r != 1 && a != 1) || ref[0] != alt[0])
		return 0;
	bases = fetch(normalise, contig, start, *pos + (uint32_t)r - 1);
	if (bases == NULL || strcmp(bases + (*pos - start), ref) != 0) {
		free(bases);
		return cairn_error_set(err, CAIRN_EINVAL,
		    "REF at %s:%u is not what the reference has there: another assembly?", contig,
		    *pos);
	}
	unit = strdup(r > a ? ref + 1 : alt + 1);
	if (unit == NULL) {
		free(bases);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	shift = roll(bases, *pos - start + 1, unit, strlen(unit));
	if (shift > 0)
		code = shifted(unit, bases[*pos - start - shift], a > r, ret);
	if (code == 0)
		*pos -= shift;
	free(unit);
	free(bases);
	return code == 0 ? 0 : cairn_error_set(err, code, "out of memory");
}
