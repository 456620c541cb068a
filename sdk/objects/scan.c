/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects/crc32c.h"
#include "objects/le.h"

#define BLOCK ((size_t)256 * 1024)

void
objects_segment_name(uint32_t id, uint32_t generation, char ret[SEGMENT_NAME_MAX])
{
	if (generation == 0)
		snprintf(ret, SEGMENT_NAME_MAX, "%08u.seg", id);
	else
		snprintf(ret, SEGMENT_NAME_MAX, "%08u-%u.seg", id, generation);
}

int
objects_read_at(int fd, void *bytes, size_t length, uint64_t offset)
{
	uint8_t *at = bytes;

	while (length > 0) {
		ssize_t got = pread(fd, at, length, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return CAIRN_EIO;
		if (got == 0)
			return CAIRN_ENOTFOUND;
		at += got;
		offset += (uint64_t)got;
		length -= (size_t)got;
	}
	return 0;
}

static int
salvage(int fd, struct segment_header *ret)
{
	uint8_t bytes[RECORD_HEADER_SIZE];
	struct record record;
	uint64_t salt;

	if (objects_read_at(fd, bytes, sizeof bytes, SEGMENT_HEADER_SIZE) != 0)
		return CAIRN_ECORRUPT;
	salt = le_get(bytes, 8);
	if (objects_record_decode(bytes, salt, &record) != 0)
		return CAIRN_ECORRUPT;
	*ret = (struct segment_header){.salt = salt};
	return 0;
}

int
objects_scan_init(struct scan *scan, int fd, uint64_t end)
{
	uint8_t bytes[SEGMENT_HEADER_SIZE];
	struct segment_header header;
	bool salvaged = false;
	struct stat st;
	int code;

	if (fstat(fd, &st) != 0)
		return CAIRN_EIO;
	code = objects_read_at(fd, bytes, sizeof bytes, 0);
	if (code == 0)
		code = objects_segment_decode(bytes, &header);
	if (code == CAIRN_ECORRUPT) {
		code = salvage(fd, &header);
		salvaged = true;
	}
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	*scan = (struct scan){.fd = fd,
	    .at = SEGMENT_HEADER_SIZE,
	    .end = (uint64_t)st.st_size,
	    .header = header,
	    .salvaged = salvaged};
	if (end < scan->end)
		scan->end = end;
	return 0;
}

int
objects_scan_next(struct scan *scan, struct record *ret)
{
	uint8_t bytes[RECORD_HEADER_SIZE];
	struct record record;
	int code;

	if (scan->at >= scan->end)
		return CAIRN_ENOTFOUND;
	if (scan->end - scan->at < RECORD_HEADER_SIZE)
		return CAIRN_ECORRUPT;
	code = objects_read_at(scan->fd, bytes, sizeof bytes, scan->at);
	if (code == 0)
		code = objects_record_decode(bytes, scan->header.salt, &record);
	if (code == CAIRN_ENOTFOUND)
		return CAIRN_ECORRUPT;
	if (code != 0)
		return code;
	if (objects_record_size(&record) > scan->end - scan->at)
		return CAIRN_ECORRUPT;
	/* Records only move towards the front of their segment. */
	if (record.logical < scan->at)
		return CAIRN_ECORRUPT;
	record.at = scan->at;
	scan->at += objects_record_size(&record);
	*ret = record;
	return 0;
}

static int
resync_block(struct scan *scan, const uint8_t *block, size_t length, uint64_t offset)
{
	struct scan probe = *scan;
	struct record record;

	for (size_t i = 0; i + 8 <= length; i += RECORD_ALIGN) {
		if (le_get(block + i, 8) != scan->header.salt)
			continue;
		probe.at = offset + i;
		if (objects_scan_next(&probe, &record) != 0)
			continue;
		scan->at = offset + i;
		return 0;
	}
	return CAIRN_ENOTFOUND;
}

int
objects_scan_resync(struct scan *scan)
{
	uint64_t offset = (scan->at + RECORD_ALIGN) / RECORD_ALIGN * RECORD_ALIGN;
	uint8_t *block = malloc(BLOCK);
	int code = CAIRN_ENOTFOUND;

	if (block == NULL)
		return CAIRN_ENOMEM;
	while (code == CAIRN_ENOTFOUND && offset < scan->end) {
		uint64_t rest = scan->end - offset;
		size_t length = rest < BLOCK ? (size_t)rest : BLOCK;

		code = objects_read_at(scan->fd, block, length, offset);
		if (code != 0)
			break;
		code = resync_block(scan, block, length, offset);
		offset += length;
	}
	free(block);
	return code;
}

bool
objects_scan_blank(const struct scan *scan, uint64_t from)
{
	uint8_t *block = malloc(BLOCK);
	bool blank = block != NULL;

	while (blank && from < scan->end) {
		size_t length = scan->end - from < BLOCK ? (size_t)(scan->end - from) : BLOCK;

		/* The first is zero, and each is as the one before. */
		blank = objects_read_at(scan->fd, block, length, from) == 0 && block[0] == 0 &&
		    memcmp(block, block + 1, length - 1) == 0;
		from += length;
	}
	free(block);
	return blank;
}

int
objects_scan_good(struct scan *scan, struct record *ret, uint64_t *damaged)
{
	uint64_t bad = scan->at;
	int code = objects_scan_next(scan, ret);

	if (code != CAIRN_ECORRUPT)
		return code;
	code = objects_scan_resync(scan);
	if (code == CAIRN_ENOTFOUND) {
		if (!objects_scan_blank(scan, bad))
			*damaged += scan->end - bad;
		scan->at = scan->end;
	}
	if (code != 0)
		return code;
	*damaged += scan->at - bad;
	return objects_scan_next(scan, ret);
}

int
objects_scan_meta(int fd, const struct record *record, uint8_t **ret)
{
	size_t path = record->path_length, note = record->note_length;
	uint64_t at = record->at + RECORD_HEADER_SIZE + objects_record_inline(record);
	uint8_t *bytes = malloc(path + note + 1);
	int code;

	if (bytes == NULL)
		return CAIRN_ENOMEM;
	code = objects_read_at(fd, bytes, path + note, at);
	if (code == 0 && objects_crc32c(0, bytes, path + note) != record->meta_crc)
		code = CAIRN_ECORRUPT;
	if (code == CAIRN_ENOTFOUND)
		code = CAIRN_ECORRUPT;
	if (code != 0) {
		free(bytes);
		return code;
	}
	memmove(bytes + path + 1, bytes + path, note);
	bytes[path] = 0;
	*ret = bytes;
	return 0;
}

int
objects_scan_sums(const struct scan_place *place, struct scan_worker *worker, struct scan_sums *ret)
{
	struct scan_sums sums = {0};
	uint64_t at = place->offset, length = place->length;
	int code = 0;

	if (EVP_DigestInit_ex2(worker->context, worker->sha256, NULL) != 1)
		return CAIRN_EINTERNAL;
	while (code == 0 && length > 0) {
		size_t piece = length < SCAN_PIECE ? (size_t)length : SCAN_PIECE;

		code = objects_read_at(place->fd, worker->piece, piece, at);
		if (code == 0 && EVP_DigestUpdate(worker->context, worker->piece, piece) != 1)
			code = CAIRN_EINTERNAL;
		if (code == 0)
			sums.crc = objects_crc32c(sums.crc, worker->piece, piece);
		at += piece;
		length -= piece;
	}
	if (code == 0 && EVP_DigestFinal_ex(worker->context, sums.sha256, NULL) != 1)
		code = CAIRN_EINTERNAL;
	if (code == 0)
		*ret = sums;
	return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
}

int
objects_scan_worker_init(struct scan_worker *worker)
{
	worker->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	worker->context = EVP_MD_CTX_new();
	worker->piece = malloc(SCAN_PIECE);
	if (worker->sha256 != NULL && worker->context != NULL && worker->piece != NULL)
		return 0;
	objects_scan_worker_fini(worker);
	return CAIRN_ENOMEM;
}

void
objects_scan_worker_fini(struct scan_worker *worker)
{
	EVP_MD_free(worker->sha256);
	EVP_MD_CTX_free(worker->context);
	free(worker->piece);
	*worker = (struct scan_worker){0};
}

static int
sums_once(const struct scan_place *place, struct scan_sums *ret)
{
	struct scan_worker worker = {0};
	int code = objects_scan_worker_init(&worker);

	if (code == 0)
		code = objects_scan_sums(place, &worker, ret);
	objects_scan_worker_fini(&worker);
	return code;
}

int
objects_scan_digest(int fd, uint64_t offset, uint64_t length, const uint8_t expected[32])
{
	struct scan_sums sums;
	int code = sums_once(&(struct scan_place){fd, offset, length}, &sums);

	if (code == 0 && memcmp(sums.sha256, expected, 32) != 0)
		code = CAIRN_ECORRUPT;
	return code;
}

int
objects_scan_object(int fd, struct record *record)
{
	uint64_t at = record->at + RECORD_HEADER_SIZE;
	struct scan_sums sums;
	int code = sums_once(&(struct scan_place){fd, at, record->length}, &sums);

	if (code == 0 &&
	    (record->late ? sums.crc != record->object_crc
			  : memcmp(sums.sha256, record->sha256, 32) != 0))
		code = CAIRN_ECORRUPT;
	if (code == 0)
		memcpy(record->sha256, sums.sha256, 32);
	return code;
}
