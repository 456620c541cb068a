/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of the file go round in a ring of slots.  A worker takes the next piece from the source,
 * reads the lines that lie in it whole, and leaves its first and last line, which the neighbours
 * share, to the caller's thread; that one takes the slots in order.
 */
#include "genomics/load.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "genomics/load_private.h"

#define THREADS_MAX 16u

struct slot {
	struct source_piece piece;
	struct piece_result result;
	size_t head, tail; /* lines between them were read; the piece's text before and behind */
	bool filled, end;
	int code; /* of the first line that was wrong, behind result's */
	struct cairn_error err;
};

struct load {
	struct source *source;
	struct vcf_header *header;
	struct source_piece first; /* what stands behind the header in its piece */
	size_t first_at;
	bool first_taken;
};

struct ring {
	struct load *load;
	struct reading reading;
	pthread_mutex_t reading_lock, lock;
	pthread_cond_t changed;
	struct slot slots[2 * THREADS_MAX];
	size_t slot_count;
	uint64_t taken, consumed; /* pieces */
	bool stop, at_end;
	struct ordering *ordering;
	struct load_report *report;
	struct piece_result bridge; /* lines that lie in two pieces */
	struct buf pending;
};

/* ---- the header --------------------------------------------------------------------------- */

static int
header_lines(struct load *load, uint64_t *ret_line, struct cairn_error *err)
{
	struct source_piece *piece = &load->first;
	int code = 0;

	while (code == 0 && !load->header->complete) {
		const char *line = (const char *)piece->text + load->first_at;
		const char *end = memchr(line, '\n', piece->length - load->first_at);
		size_t length;

		if (end == NULL)
			return CAIRN_EAGAIN;
		++*ret_line;
		length = (size_t)(end - line);
		load->first_at += length + 1;
		length -= length > 0 && line[length - 1] == '\r';
		code = vcf_header_line(load->header, line, length, err);
	}
	return code;
}

/* The next piece behind what is left of the last one. */
static int
more_header(struct load *load, struct cairn_error *err)
{
	struct source_piece next = {0}, *piece = &load->first;
	size_t left = piece->length - load->first_at;
	bool end = false;
	uint8_t *joined;
	int code = source_read(load->source, &next, &end, err);

	if (code == 0)
		code = source_unpack(&next, err);
	if (code == 0 && end)
		code = cairn_error_set(err, CAIRN_EINVAL, "the file ends before the line #CHROM");
	if (code == 0 && left + next.length > VCF_LINE_MAX)
		code = cairn_error_set(err, CAIRN_ELIMIT, "a line is longer than 64 MiB");
	joined = code == 0 ? malloc(left + next.length + 1) : NULL;
	if (code == 0 && joined == NULL)
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (code == 0) {
		if (left > 0)
			memcpy(joined, piece->text + load->first_at, left);
		if (next.length > 0)
			memcpy(joined + left, next.text, next.length);
		free(piece->text);
		*piece = (struct source_piece){
		    .text = joined, .length = left + next.length, .capacity = left + next.length};
		load->first_at = 0;
	}
	source_piece_fini(&next);
	return code;
}

int
load_open(struct load **ret, int fd, bool declared, uint64_t *ret_line, struct cairn_error *err)
{
	struct load *load = calloc(1, sizeof *load);
	int code;

	*ret_line = 0;
	if (load == NULL) {
		close(fd);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	code = source_open(&load->source, fd, err);
	if (code == 0)
		code = vcf_header_new(&load->header, declared, err);
	while (code == 0 && !load->header->complete) {
		code = load->first.text == NULL ? CAIRN_EAGAIN : header_lines(load, ret_line, err);
		if (code == CAIRN_EAGAIN)
			code = more_header(load, err);
	}
	if (code != 0) {
		load_close(load);
		return code;
	}
	*ret = load;
	return 0;
}

void
load_close(struct load *load)
{
	if (load == NULL)
		return;
	source_close(load->source);
	vcf_header_free(load->header);
	source_piece_fini(&load->first);
	free(load);
}

const struct vcf_header *
load_header(const struct load *load)
{
	return load->header;
}

/* ---- workers ------------------------------------------------------------------------------ */

static int
take_piece(struct ring *ring, struct slot *slot)
{
	struct load *load = ring->load;
	int code;

	slot->end = false;
	slot->err = (struct cairn_error){0};
	if (!load->first_taken) {
		size_t left = load->first.length - load->first_at;

		load->first_taken = true;
		memmove(load->first.text, load->first.text + load->first_at, left);
		slot->piece = load->first;
		slot->piece.length = left;
		load->first = (struct source_piece){0};
		return 0;
	}
	code = source_read(load->source, &slot->piece, &slot->end, &slot->err);
	return code;
}

static int
read_lines(struct ring *ring, struct slot *slot, size_t at, size_t end)
{
	const char *text = (const char *)slot->piece.text;
	int code = 0;

	while (code == 0 && at < end) {
		const char *newline = memchr(text + at, '\n', end - at);
		size_t length = (size_t)(newline - (text + at)), shown = length;

		shown -= length > 0 && text[at + length - 1] == '\r';
		code = load_line(&ring->reading, &slot->result, text + at, shown, &slot->err);
		at += length + 1;
	}
	return code;
}

static void
read_piece(struct ring *ring, struct slot *slot)
{
	const char *text, *first, *last;

	piece_result_clear(&slot->result);
	if (slot->code == 0)
		slot->code = source_unpack(&slot->piece, &slot->err);
	text = (const char *)slot->piece.text;
	slot->head = slot->tail = slot->piece.length;
	if (slot->code != 0 || slot->piece.length == 0)
		return;
	first = memchr(text, '\n', slot->piece.length);
	if (first == NULL)
		return;
	last = memrchr(text, '\n', slot->piece.length);
	slot->head = (size_t)(first - text) + 1;
	slot->tail = (size_t)(last - text) + 1;
	slot->code = read_lines(ring, slot, slot->head, slot->tail);
}

static struct slot *
next_slot(struct ring *ring)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&ring->lock);
	while (!ring->stop && !ring->at_end && ring->taken - ring->consumed >= ring->slot_count)
		pthread_cond_wait(&ring->changed, &ring->lock);
	if (!ring->stop && !ring->at_end)
		slot = &ring->slots[ring->taken++ % ring->slot_count];
	pthread_mutex_unlock(&ring->lock);
	return slot;
}

static void *
work(void *arg)
{
	struct ring *ring = arg;

	for (;;) {
		struct slot *slot;

		/* Held over both, so that slots are in the order of pieces. */
		pthread_mutex_lock(&ring->reading_lock);
		slot = next_slot(ring);
		if (slot != NULL)
			slot->code = take_piece(ring, slot);
		if (slot != NULL && (slot->code != 0 || slot->end)) {
			pthread_mutex_lock(&ring->lock);
			ring->at_end = true;
			pthread_mutex_unlock(&ring->lock);
		}
		pthread_mutex_unlock(&ring->reading_lock);
		if (slot == NULL)
			return NULL;
		read_piece(ring, slot);
		pthread_mutex_lock(&ring->lock);
		slot->filled = true;
		pthread_cond_broadcast(&ring->changed);
		pthread_mutex_unlock(&ring->lock);
	}
}

/* ---- the caller's thread ------------------------------------------------------------------ */

static int
no_room(struct cairn_error *err, int code)
{
	return code == 0
	    ? 0
	    : cairn_error_set(err, code,
		  code == CAIRN_ELIMIT ? "a line is longer than 64 MiB" : "out of memory");
}

/* The line that ends where this piece's first line ends. */
static int
take_bridge(struct ring *ring, struct slot *slot, struct cairn_error *err)
{
	struct buf *pending = &ring->pending;
	size_t length;
	int code = no_room(err, buf_append(pending, slot->piece.text, slot->head));

	if (code != 0 || pending->length == 0 || pending->data[pending->length - 1] != '\n')
		return code;
	length = pending->length - 1;
	length -= length > 0 && pending->data[length - 1] == '\r';
	piece_result_clear(&ring->bridge);
	code = load_line(&ring->reading, &ring->bridge, (const char *)pending->data, length, err);
	if (code != 0)
		ring->report->line = ring->report->lines + 1;
	else
		code = ordering_take(ring->ordering, &ring->bridge, err);
	buf_clear(pending);
	return code;
}

static int
consume(struct ring *ring, struct slot *slot, struct cairn_error *err)
{
	int code = 0;

	if (slot->end) {
		if (ring->pending.length == 0)
			return 0;
		ring->report->line = ring->report->lines + 1;
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the last line has no end: is the file cut off?");
	}
	if (slot->piece.length > 0)
		code = take_bridge(ring, slot, err);
	if (code == 0)
		code = ordering_take(ring->ordering, &slot->result, err);
	if (code == 0 && slot->code != 0) {
		ring->report->line = ring->report->lines + 1;
		return cairn_error_set(err, slot->code, "%s", slot->err.text);
	}
	if (code == 0)
		code = no_room(err,
		    buf_append(&ring->pending, slot->piece.text + slot->tail,
			slot->piece.length - slot->tail));
	return code;
}

static int
consume_all(struct ring *ring, struct cairn_error *err)
{
	const atomic_bool *cancelled = ring->reading.plan->cancelled;
	bool end = false;
	int code = 0;

	while (code == 0 && !end) {
		struct slot *slot = &ring->slots[ring->consumed % ring->slot_count];

		pthread_mutex_lock(&ring->lock);
		while (!slot->filled)
			pthread_cond_wait(&ring->changed, &ring->lock);
		pthread_mutex_unlock(&ring->lock);
		end = slot->end;
		code = consume(ring, slot, err);
		if (code == 0 && cancelled != NULL && atomic_load(cancelled))
			code = cairn_error_set(err, CAIRN_ECANCELLED, "the import was stopped");
		pthread_mutex_lock(&ring->lock);
		slot->filled = false;
		ring->consumed++;
		ring->stop = ring->stop || code != 0;
		pthread_cond_broadcast(&ring->changed);
		pthread_mutex_unlock(&ring->lock);
	}
	return code;
}

static int
run_threads(struct ring *ring, unsigned count, struct cairn_error *err)
{
	pthread_t threads[THREADS_MAX];
	unsigned started = 0;
	int code = 0;

	while (started < count && pthread_create(&threads[started], NULL, work, ring) == 0)
		started++;
	if (started == 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "no thread can be started");
	code = consume_all(ring, err);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return code;
}

/* ---- all of it ---------------------------------------------------------------------------- */

/* NULL where the plan has all samples. */
static int
make_remap(const struct load *load, const struct load_plan *plan, int32_t **ret)
{
	size_t samples = load->header->sample_count;

	*ret = NULL;
	if (plan->count == samples)
		return 0;
	*ret = malloc((samples + 1) * sizeof **ret);
	if (*ret == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < samples; i++)
		(*ret)[i] = -1;
	for (uint32_t i = 0; i < plan->count; i++)
		(*ret)[plan->columns[i]] = (int32_t)i;
	return 0;
}

static void
ring_fini(struct ring *ring)
{
	for (size_t i = 0; i < ring->slot_count; i++) {
		source_piece_fini(&ring->slots[i].piece);
		piece_result_fini(&ring->slots[i].result);
	}
	piece_result_fini(&ring->bridge);
	buf_fini(&ring->pending);
	ordering_free(ring->ordering);
	pthread_mutex_destroy(&ring->reading_lock);
	pthread_mutex_destroy(&ring->lock);
	pthread_cond_destroy(&ring->changed);
	free(ring);
}

static int
ring_new(
    struct ring **ret, struct load *load, const struct load_plan *plan, struct cairn_error *err)
{
	struct ring *ring = calloc(1, sizeof *ring);

	if (ring == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	ring->load = load;
	ring->slot_count = 2 * (size_t)plan->threads;
	ring->reading.header = load->header;
	ring->reading.plan = plan;
	annotate_read(&ring->reading.annotate, load->header);
	buf_init(&ring->pending, VCF_LINE_MAX);
	buf_init(&ring->bridge.bytes, ENTRIES_BYTES_MAX);
	for (size_t i = 0; i < ring->slot_count; i++)
		buf_init(&ring->slots[i].result.bytes, ENTRIES_BYTES_MAX);
	pthread_mutex_init(&ring->reading_lock, NULL);
	pthread_mutex_init(&ring->lock, NULL);
	pthread_cond_init(&ring->changed, NULL);
	*ret = ring;
	return 0;
}

static int
run_ring(struct ring *ring, struct carriers_writer *writer, struct cairn_error *err)
{
	const struct load_plan *plan = ring->reading.plan;
	enum carriers_assembly assembly;
	uint32_t flags =
	    (plan->somatic ? CARRIERS_SOMATIC : 0u) | (plan->fasta != NULL ? CARRIERS_ALIGNED : 0u);
	int code = load_assembly(ring->load, &assembly, err);

	if (code == 0)
		code = ordering_new(&ring->ordering, &ring->reading, writer, ring->report, err);
	if (code == 0)
		code = run_threads(ring, plan->threads, err);
	if (code == 0)
		code = ordering_end(ring->ordering, err);
	if (code == 0)
		code = carriers_writer_finish(writer, plan->path, flags, assembly, err);
	return code;
}

int
load_run(struct load *load, const struct load_plan *plan, struct load_report *ret,
    struct cairn_error *err)
{
	struct carriers_writer *writer = NULL;
	struct ring *ring = NULL;
	int32_t *remap = NULL;
	int code;

	*ret = (struct load_report){.lines = load->header->lines};
	if (plan->threads == 0 || plan->threads > THREADS_MAX || plan->count == 0 ||
	    plan->count > load->header->sample_count)
		return cairn_error_set(err, CAIRN_EINVAL, "no samples, or more than 16 threads");
	if (make_remap(load, plan, &remap) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = carriers_writer_new(&writer, plan->dir, plan->patients, plan->count, err);
	if (code == 0)
		code = ring_new(&ring, load, plan, err);
	if (code == 0) {
		ring->reading.remap = remap;
		ring->report = ret;
		code = run_ring(ring, writer, err);
	}
	if (ring != NULL)
		ring_fini(ring);
	carriers_writer_free(writer);
	free(remap);
	return code;
}
