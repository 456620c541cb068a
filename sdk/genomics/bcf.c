/* SPDX-License-Identifier: Apache-2.0 */
#include "genomics/bcf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <htslib/hfile.h>
#include <htslib/hts.h>
#include <htslib/vcf.h>

#include "genomics/vcf.h"

struct bcf_text {
	htsFile *file;
	bcf_hdr_t *header;
	bcf1_t *record;
	kstring_t line;
	bool header_given, at_end;
};

int
bcf_text_open(struct bcf_text **ret, int fd, struct cairn_error *err)
{
	struct bcf_text *bcf = calloc(1, sizeof *bcf);
	hFILE *bytes = fd < 0 ? NULL : hdopen(fd, "r");

	if (bcf == NULL || bytes == NULL) {
		free(bcf);
		if (bytes == NULL && fd >= 0)
			close(fd);
		else if (bytes != NULL)
			hclose_abruptly(bytes);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	hts_set_log_level(HTS_LOG_OFF); /* its lines would name samples */
	bcf->file = hts_hopen(bytes, "bcf", "r");
	if (bcf->file == NULL)
		hclose_abruptly(bytes);
	bcf->header = bcf->file == NULL ? NULL : bcf_hdr_read(bcf->file);
	bcf->record = bcf_init();
	if (bcf->header == NULL || bcf->record == NULL) {
		bcf_text_close(bcf);
		return cairn_error_set(err, CAIRN_EINVAL, "the BCF header cannot be read");
	}
	*ret = bcf;
	return 0;
}

void
bcf_text_close(struct bcf_text *bcf)
{
	if (bcf == NULL)
		return;
	if (bcf->record != NULL)
		bcf_destroy(bcf->record);
	if (bcf->header != NULL)
		bcf_hdr_destroy(bcf->header);
	if (bcf->file != NULL)
		hts_close(bcf->file);
	free(bcf->line.s);
	free(bcf);
}

static int
give(struct source_piece *piece, const kstring_t *line, struct cairn_error *err)
{
	if (line->l > VCF_LINE_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "a record is longer than 64 MiB");
	if (piece->capacity - piece->length < line->l) {
		size_t want = piece->length + line->l + SOURCE_PIECE;
		uint8_t *grown = realloc(piece->text, want);

		if (grown == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		piece->text = grown;
		piece->capacity = want;
	}
	memcpy(piece->text + piece->length, line->s, line->l);
	piece->length += line->l;
	return 0;
}

/* htslib declares PASS by itself; the text is otherwise as it stands in the file. */
static int
next_text(struct bcf_text *bcf, struct cairn_error *err)
{
	int status;

	bcf->line.l = 0;
	if (!bcf->header_given) {
		bcf->header_given = true;
		return bcf_hdr_format(bcf->header, 0, &bcf->line) == 0
		    ? 0
		    : cairn_error_set(err, CAIRN_EINVAL, "the BCF header cannot be read");
	}
	status = bcf_read(bcf->file, bcf->header, bcf->record);
	bcf->at_end = status == -1;
	if (status == 0 && bcf->record->errcode == 0 &&
	    vcf_format(bcf->header, bcf->record, &bcf->line) == 0)
		return 0;
	return bcf->at_end
	    ? 0
	    : cairn_error_set(err, CAIRN_EINVAL, "a BCF record is damaged, or the file is cut off");
}

int
bcf_text_read(
    struct bcf_text *bcf, struct source_piece *piece, bool *ret_end, struct cairn_error *err)
{
	int code = 0;

	while (code == 0 && !bcf->at_end && piece->length < SOURCE_PIECE) {
		code = next_text(bcf, err);
		if (code == 0 && !bcf->at_end)
			code = give(piece, &bcf->line, err);
	}
	*ret_end = piece->length == 0;
	return code;
}
