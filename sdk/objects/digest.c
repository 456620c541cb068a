/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/digest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"

/* Enough to leave the processors to whoever answers; little enough to get on. */
#define NICE 10
/* The loop hears of so many together, or of what there is when nothing is left to do. */
#define TELL_EVERY 16
/* Nothing for so long, and the burst is over. */
#define PAUSE_NS ((uint64_t)3000000)
#define REST_NS ((uint64_t)1000000000)

static int
use_segment(
    const struct objects_dirs *dirs, struct digest_segment *segment, const struct objects_put *put)
{
	if (segment->fd >= 0 && segment->id == put->segment &&
	    segment->generation == put->generation)
		return 0;
	file_close(&segment->fd);
	segment->fd = objects_dirs_segment(dirs, put->segment, put->generation, O_RDONLY);
	segment->id = put->segment;
	segment->generation = put->generation;
	return segment->fd < 0 ? CAIRN_EIO : 0;
}

static void
sum_up(struct objects_digest *digest, struct scan_worker *worker, struct digest_segment *segment,
    struct objects_put *put)
{
	struct scan_place place = {
	    .offset = put->record.at + RECORD_HEADER_SIZE, .length = put->record.length};
	struct scan_sums sums = {0};

	put->code = use_segment(digest->dirs, segment, put);
	if (put->code == 0) {
		place.fd = segment->fd;
		put->code = objects_scan_sums(&place, worker, &sums);
	}
	if (put->code == 0 && sums.crc != put->record.object_crc)
		put->code = CAIRN_ECORRUPT;
	if (put->code == 0)
		memcpy(put->record.sha256, sums.sha256, 32);
}

/* The oldest one.  Called and left with the lock held; something is late. */
static void
sum_up_next(
    struct objects_digest *digest, struct scan_worker *worker, struct digest_segment *segment)
{
	struct objects_put *put = objects_put_list_take(&digest->late);

	digest->bytes -= put->record.length;
	uv_mutex_unlock(&digest->lock);
	sum_up(digest, worker, segment, put);
	uv_mutex_lock(&digest->lock);
	objects_put_list_add(&digest->done, put);
	if (digest->late.first == NULL || digest->done.count >= TELL_EVERY)
		uv_async_send(digest->async);
}

/* Is a burst on, that may be waited for? */
static bool
may_rest(const struct objects_digest *digest)
{
	uint64_t now = uv_hrtime();

	return digest->bytes < DIGEST_REST_BYTES && now - digest->pushed_ns < PAUSE_NS &&
	    now - digest->began_ns < REST_NS;
}

static void
digest_main(void *arg)
{
	struct objects_digest *digest = arg;

	(void)setpriority(PRIO_PROCESS, 0, NICE);
	uv_mutex_lock(&digest->lock);
	while (!digest->stop) {
		digest->resting = digest->late.first != NULL && may_rest(digest);
		if (digest->resting)
			(void)uv_cond_timedwait(&digest->wake, &digest->lock, PAUSE_NS);
		else if (digest->late.first != NULL)
			sum_up_next(digest, &digest->worker, &digest->segment);
		else
			uv_cond_wait(&digest->wake, &digest->lock);
	}
	uv_mutex_unlock(&digest->lock);
}

int
objects_digest_start(struct objects_digest *digest)
{
	digest->segment.fd = digest->helped.fd = -1;
	if (objects_scan_worker_init(&digest->worker) != 0 ||
	    objects_scan_worker_init(&digest->helper) != 0)
		return CAIRN_ENOMEM;
	if (uv_mutex_init(&digest->lock) != 0)
		return CAIRN_ENOMEM;
	if (uv_cond_init(&digest->wake) != 0) {
		uv_mutex_destroy(&digest->lock);
		return CAIRN_ENOMEM;
	}
	if (uv_thread_create(&digest->thread, digest_main, digest) == 0) {
		digest->started = true;
		return 0;
	}
	uv_cond_destroy(&digest->wake);
	uv_mutex_destroy(&digest->lock);
	return CAIRN_ENOMEM;
}

void
objects_digest_stop(struct objects_digest *digest)
{
	if (digest->started) {
		uv_mutex_lock(&digest->lock);
		digest->stop = true;
		uv_cond_signal(&digest->wake);
		uv_mutex_unlock(&digest->lock);
		uv_thread_join(&digest->thread);
		uv_cond_destroy(&digest->wake);
		uv_mutex_destroy(&digest->lock);
		file_close(&digest->segment.fd);
		file_close(&digest->helped.fd);
		digest->started = false;
	}
	objects_scan_worker_fini(&digest->worker);
	objects_scan_worker_fini(&digest->helper);
}

void
objects_digest_push(struct objects_digest *digest, struct objects_put *put)
{
	uv_mutex_lock(&digest->lock);
	digest->pushed_ns = uv_hrtime();
	if (digest->late.first == NULL)
		digest->began_ns = digest->pushed_ns;
	objects_put_list_add(&digest->late, put);
	digest->bytes += put->record.length;
	if (!digest->resting)
		uv_cond_signal(&digest->wake);
	uv_mutex_unlock(&digest->lock);
}

struct put_list
objects_digest_done(struct objects_digest *digest)
{
	struct put_list done = {0};

	uv_mutex_lock(&digest->lock);
	objects_put_list_join(&done, &digest->done);
	uv_mutex_unlock(&digest->lock);
	return done;
}

bool
objects_digest_behind(struct objects_digest *digest)
{
	bool behind;

	uv_mutex_lock(&digest->lock);
	behind = digest->bytes > DIGEST_LAG_BYTES || digest->late.count > DIGEST_LAG_ITEMS;
	uv_mutex_unlock(&digest->lock);
	return behind;
}

void
objects_digest_help(struct objects_digest *digest)
{
	uv_mutex_lock(&digest->lock);
	if (digest->late.first != NULL)
		sum_up_next(digest, &digest->helper, &digest->helped);
	uv_mutex_unlock(&digest->lock);
}
