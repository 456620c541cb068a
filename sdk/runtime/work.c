/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runtime/private.h"

#define WORKS_MAX 4096

struct work {
	uv_work_t request;
	struct cairn *cairn;
	void (*work)(void *arg);
	void (*after)(void *arg);
	void *arg;
};

static void
work_run(uv_work_t *request)
{
	struct work *work = request->data;

	work->work(work->arg);
}

static void
work_after(uv_work_t *request, int status)
{
	struct work *work = request->data;
	void (*after)(void *) = work->after;
	void *arg = work->arg;

	(void)status; /* nothing here cancels work */
	work->cairn->works--;
	free(work);
	if (after != NULL)
		after(arg);
}

int
cairn_work(struct cairn *cairn, void (*work_fn)(void *arg), void (*after)(void *arg), void *arg)
{
	struct work *work;

	if (cairn->works >= WORKS_MAX)
		return CAIRN_ELIMIT;
	work = calloc(1, sizeof *work);
	if (work == NULL)
		return CAIRN_ENOMEM;
	*work = (struct work){.cairn = cairn, .work = work_fn, .after = after, .arg = arg};
	work->request.data = work;
	if (uv_queue_work(cairn->loop, &work->request, work_run, work_after) != 0) {
		free(work);
		return CAIRN_EIO;
	}
	cairn->works++;
	return 0;
}
