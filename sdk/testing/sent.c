/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugin asks of the kernel, and the recorded replies, refusals and work of a test. */
#include "testing/private.h"

#define LINE_MAX_BYTES 65536
#define DEFAULT_TIMEOUT_MS 30000 /* as the runtime's */

/* ---- replies ------------------------------------------------------------------------------ */

static void
close_timer(uv_timer_t *timer, bool *in_use)
{
	if (*in_use)
		uv_close((uv_handle_t *)timer, NULL);
	*in_use = false;
}

/* Ends what waits; the callback is made last, for it may begin something new. */
static void
sent_end(struct sent *sent, int code, const char *text, const struct reply *reply)
{
	cairn_call_fn done = sent->done;

	if (!sent->waits)
		return;
	sent->waits = false;
	close_timer(&sent->deadline, &sent->timed);
	if (done == NULL)
		return;
	testing_enter();
	if (reply == NULL)
		done(sent->arg, code, text, NULL, 0);
	else
		done(sent->arg, code, text, code == 0 ? reply->body : NULL,
		    code == 0 ? reply->length : 0);
	testing_leave(sent->kernel);
}

static void
reply_due(uv_timer_t *timer)
{
	struct reply *reply = timer->data;

	uv_close((uv_handle_t *)timer, NULL);
	reply->sent->reply = NULL;
	got_pause(); /* the loop's callbacks are the plugin's but for ours */
	sent_end(reply->sent, reply->code, reply->code == 0 ? "" : "the test says no", reply);
	got_resume();
}

/* Never at once: a plugin may count on its callback coming after cairn_call() has returned. */
static void
reply_give(struct sent *sent, struct reply *reply)
{
	reply->sent = sent;
	reply->timer.data = reply;
	sent->reply = reply;
	uv_timer_init(&sent->kernel->loop, &reply->timer);
	uv_timer_start(&reply->timer, reply_due, reply->after_ms, 0);
}

static struct sent *
oldest_waiting(struct cairn *cairn, const char *subject)
{
	for (struct sent *sent = cairn->sent; sent != NULL; sent = sent->next) {
		if (sent->waits && sent->reply == NULL &&
		    strcmp(sent->public.subject, subject) == 0)
			return sent;
	}
	return NULL;
}

/* wide: a reply has these parts */
void
cairn_testing_answer_late(struct cairn_testing *kernel, const char *subject, unsigned after_ms,
    int code, const void *body, size_t length)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);
	struct reply *reply = testing_keep(cairn, sizeof *reply);
	struct sent *waiting = oldest_waiting(cairn, subject);
	struct reply **last = &cairn->replies;

	*reply = (struct reply){.subject = testing_copy(cairn, subject, strlen(subject)),
	    .after_ms = after_ms,
	    .code = code,
	    .body = testing_copy(cairn, body, length),
	    .length = length};
	if (waiting != NULL) {
		reply_give(waiting, reply);
		return;
	}
	while (*last != NULL)
		last = &(*last)->next;
	*last = reply;
}

void
cairn_testing_answer(
    struct cairn_testing *kernel, const char *subject, int code, const void *body, size_t length)
{
	cairn_testing_answer_late(kernel, subject, 0, code, body, length);
}

static void
load_line(struct cairn_testing *kernel, const char *path, unsigned number, char *line)
{
	char *rest = strchr(line, ' ');
	char *end;
	unsigned long after_ms;
	long code;

	if (rest == NULL)
		fail_msg("%s:%u: expected SUBJECT AFTER_MS CODE BODY", path, number);
	*rest = 0;
	after_ms = strtoul(rest + 1, &end, 10);
	if (*end != ' ')
		fail_msg("%s:%u: expected AFTER_MS and CODE behind the subject", path, number);
	code = strtol(end, &end, 10);
	if ((*end != ' ' && *end != 0) || code > 0)
		fail_msg("%s:%u: expected a CODE of 0 or below", path, number);
	if (*end == ' ')
		end++;
	cairn_testing_answer_late(kernel, line, (unsigned)after_ms, (int)code, end, strlen(end));
}

void
cairn_testing_answers_load(struct cairn_testing *kernel, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = malloc(LINE_MAX_BYTES);

	if (file == NULL || line == NULL)
		fail_msg("cannot read %s", path);
	for (unsigned number = 1; fgets(line, LINE_MAX_BYTES, file) != NULL; number++) {
		line[strcspn(line, "\n")] = 0;
		if (*line != 0 && *line != '#')
			load_line(kernel, path, number, line);
	}
	free(line);
	fclose(file);
}

/* ---- what is sent ------------------------------------------------------------------------- */

static void
deadline_passed(uv_timer_t *timer)
{
	struct sent *sent = timer->data;

	got_pause();
	sent_end(sent, CAIRN_ETIMEOUT, "no answer before the deadline", NULL);
	got_resume();
}

static struct sent *
sent_add(struct cairn *cairn, const struct cairn_testing_sent *what)
{
	struct sent *sent = testing_keep(cairn, sizeof *sent);

	*sent = (struct sent){.public = *what, .kernel = cairn};
	sent->public.subject = testing_copy(cairn, what->subject, strlen(what->subject));
	sent->public.body = testing_copy(cairn, what->body, what->length);
	sent->public.key =
	    what->key == NULL ? "" : testing_copy(cairn, what->key, strlen(what->key));
	*cairn->last_sent = sent;
	cairn->last_sent = &sent->next;
	return sent;
}

static void
sent_wait(struct sent *sent, cairn_call_fn done, void *arg)
{
	sent->done = done;
	sent->arg = arg;
	sent->waits = true;
	for (struct reply **at = &sent->kernel->replies; *at != NULL; at = &(*at)->next) {
		struct reply *reply = *at;

		if (strcmp(reply->subject, sent->public.subject) != 0)
			continue;
		*at = reply->next;
		reply_give(sent, reply);
		break;
	}
	if (sent->public.timeout_ms == 0)
		return;
	sent->deadline.data = sent;
	sent->timed = true;
	uv_timer_init(&sent->kernel->loop, &sent->deadline);
	uv_timer_start(&sent->deadline, deadline_passed, sent->public.timeout_ms, 0);
}

/* Whether the next of this kind is to be refused. */
static int
refused(struct cairn *cairn, enum cairn_testing_kind kind)
{
	int code = cairn->refuse[kind];

	cairn->refuse[kind] = 0;
	return code;
}

/* wide: the ABI's own signature */
int
cairn_call(struct cairn *cairn, const char *subject, const void *body, size_t length,
    unsigned timeout_ms, cairn_call_fn done, void *arg)
{
	const struct cairn_testing_sent what = {.kind = CAIRN_TESTING_CALL,
	    .subject = subject,
	    .body = body,
	    .length = length,
	    .timeout_ms = timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : timeout_ms};
	int code;

	testing_api(cairn, __func__);
	code = subject == NULL || *subject == 0 ? CAIRN_EINVAL : refused(cairn, CAIRN_TESTING_CALL);
	if (code == 0)
		sent_wait(sent_add(cairn, &what), done, arg);
	testing_api_end();
	return code;
}

int
cairn_publish(struct cairn *cairn, const char *subject, const void *body, size_t length)
{
	const struct cairn_testing_sent what = {
	    .kind = CAIRN_TESTING_PUBLISH, .subject = subject, .body = body, .length = length};
	int code;

	testing_api(cairn, __func__);
	code =
	    subject == NULL || *subject == 0 ? CAIRN_EINVAL : refused(cairn, CAIRN_TESTING_PUBLISH);
	if (code == 0)
		sent_add(cairn, &what);
	testing_api_end();
	return code;
}

/* Many jobs wait as one: the last of them carries the callback. */
int
cairn_job_put(struct cairn *cairn, const struct cairn_job_put *jobs, size_t count,
    cairn_call_fn done, void *arg)
{
	struct sent *sent = NULL;
	int code;

	testing_api(cairn, __func__);
	code = count == 0 ? CAIRN_EINVAL : refused(cairn, CAIRN_TESTING_JOB_PUT);
	for (size_t i = 0; code == 0 && i < count; i++) {
		const struct cairn_testing_sent what = {.kind = CAIRN_TESTING_JOB_PUT,
		    .subject = jobs[i].queue,
		    .key = jobs[i].key,
		    .body = jobs[i].body,
		    .length = jobs[i].length};

		sent = sent_add(cairn, &what);
	}
	if (sent != NULL)
		sent_wait(sent, done, arg);
	testing_api_end();
	return code;
}

const struct cairn_testing_sent *
cairn_testing_take(struct cairn_testing *kernel, const char *subject)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	for (struct sent *sent = cairn->sent; sent != NULL; sent = sent->next) {
		if (sent->taken || (subject != NULL && strcmp(sent->public.subject, subject) != 0))
			continue;
		sent->taken = true;
		return &sent->public;
	}
	return NULL;
}

void
testing_sent_cancel(struct cairn *cairn)
{
	for (struct sent *sent = cairn->sent; sent != NULL; sent = sent->next)
		sent_end(sent, CAIRN_ECANCELLED, "the plugin is stopping", NULL);
}

void
testing_sent_close(struct cairn *cairn)
{
	for (struct sent *sent = cairn->sent; sent != NULL; sent = sent->next) {
		close_timer(&sent->deadline, &sent->timed);
		if (sent->reply != NULL)
			uv_close((uv_handle_t *)&sent->reply->timer, NULL);
		sent->reply = NULL;
	}
}

/* ---- faults and work ---------------------------------------------------------------------- */

void
cairn_testing_refuse(struct cairn_testing *kernel, enum cairn_testing_kind kind, int code)
{
	cairn_testing_cairn(kernel)->refuse[kind] = code;
}

bool
cairn_testing_fail_allocation(struct cairn_testing *kernel, unsigned nth)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	if (!cairn->watched && nth > 0)
		cairn->watched =
		    got_watch_allocations((const void *)(uintptr_t)cairn_testing_refuse) > 0;
	got_fail_allocation(nth);
	return cairn->watched || nth == 0;
}

bool
cairn_testing_allocation_failed(const struct cairn_testing *kernel)
{
	(void)kernel;
	return got_allocation_failed() != 0;
}

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

	(void)status;
	work->kernel->works--;
	if (work->after != NULL)
		work->after(work->arg);
}

int
cairn_work(struct cairn *cairn, void (*work_fn)(void *arg), void (*after)(void *arg), void *arg)
{
	struct work *work;
	struct work **last = &cairn->held;
	int code;

	testing_api(cairn, __func__);
	code = refused(cairn, CAIRN_TESTING_WORK);
	if (code == 0) {
		work = testing_keep(cairn, sizeof *work);
		*work = (struct work){.kernel = cairn, .work = work_fn, .after = after, .arg = arg};
		work->request.data = work;
		while (*last != NULL)
			last = &(*last)->next;
		if (cairn->hold_work)
			*last = work;
		else if (uv_queue_work(&cairn->loop, &work->request, work_run, work_after) != 0)
			code = CAIRN_EIO;
		else
			cairn->works++;
	}
	testing_api_end();
	return code;
}

void
cairn_testing_hold_work(struct cairn_testing *kernel, bool hold)
{
	cairn_testing_cairn(kernel)->hold_work = hold;
}

void
cairn_testing_run_work(struct cairn_testing *kernel)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	while (cairn->held != NULL) {
		struct work *work = cairn->held;

		cairn->held = work->next;
		testing_enter();
		work->work(work->arg);
		if (work->after != NULL)
			work->after(work->arg);
		testing_leave(cairn);
	}
}
