/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ul_test_server PORT [KEY=NUMBER...]: a Storage SCP that throws away what it gets; for the tests
 * and for measuring the upper layer alone.  Prints "listening PORT" when ready, a line of figures
 * when it is told to end (SIGTERM, SIGINT).  Keys: those of struct ul_options, and
 *   answer_ms     answer a C-STORE this much later
 *   pause_ms      stop reading for this long at the beginning of every data set
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/text.h"
#include "dicom/dimse.h"

#define STORAGE_ROOT "1.2.840.10008.5.1.4.1.1."
#define EXPLICIT_LE "1.2.840.10008.1.2.1"

struct receiver {
	struct dimse *dimse;
	uv_signal_t signals[2];
	int64_t answer_ms;
	int64_t pause_ms;
	uint64_t instances;
	uint64_t incomplete;
	uint64_t bytes;
};

struct later {
	uv_timer_t timer;
	struct dimse_store *store;
	struct ul_assoc *assoc;
};

static void
on_later_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
on_later(uv_timer_t *timer)
{
	struct later *later = timer->data;

	if (later->store != NULL)
		dimse_store_respond(later->store, DIMSE_SUCCESS, NULL);
	if (later->assoc != NULL) {
		ul_set_user(later->assoc, NULL);
		ul_resume(later->assoc);
	}
	uv_close((uv_handle_t *)timer, on_later_closed);
}

static void
do_later(int64_t delay_ms, struct dimse_store *store, struct ul_assoc *assoc)
{
	struct later *later = calloc(1, sizeof *later);

	if (later == NULL)
		abort();
	later->store = store;
	later->assoc = assoc;
	if (assoc != NULL)
		ul_set_user(assoc, later);
	later->timer.data = later;
	uv_timer_init(uv_default_loop(), &later->timer);
	uv_timer_start(&later->timer, on_later, (uint64_t)delay_ms, 0);
}

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	(void)arg;
	for (size_t i = 0; i < request->context_count; i++) {
		struct ul_context *context = &request->contexts[i];

		if (strcmp(context->abstract, DIMSE_VERIFICATION) != 0 &&
		    strncmp(context->abstract, STORAGE_ROOT, sizeof STORAGE_ROOT - 1) != 0)
			continue;
		if (!ul_context_choose(context, EXPLICIT_LE))
			ul_context_choose(context, context->transfers[0]);
	}
	ul_accept(assoc);
}

static void
on_store_begin(void *arg, struct dimse_store *store)
{
	struct receiver *receiver = arg;

	if (receiver->pause_ms == 0)
		return;
	ul_pause(store->assoc);
	do_later(receiver->pause_ms, NULL, store->assoc);
}

static void
on_store_data(void *arg, struct dimse_store *store, const uint8_t *bytes, size_t length)
{
	struct receiver *receiver = arg;

	(void)store;
	(void)bytes;
	receiver->bytes += length;
}

static void
on_store_end(void *arg, struct dimse_store *store, bool complete)
{
	struct receiver *receiver = arg;

	receiver->instances += complete;
	receiver->incomplete += !complete;
	if (complete && receiver->answer_ms > 0)
		do_later(receiver->answer_ms, store, NULL);
	else
		dimse_store_respond(store, DIMSE_SUCCESS, NULL);
}

static void
on_closed(void *arg, struct ul_assoc *assoc, enum ul_reason reason)
{
	struct later *later = ul_user(assoc);

	(void)arg;
	(void)reason;
	if (later != NULL)
		later->assoc = NULL;
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct receiver *receiver = handle->data;
	struct ul_stats stats;

	(void)number;
	ul_server_stats(dimse_server(receiver->dimse), &stats);
	dimse_close(receiver->dimse, NULL, NULL);
	for (size_t i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&receiver->signals[i], NULL);
	printf("instances=%" PRIu64 " incomplete=%" PRIu64 " bytes=%" PRIu64 " connections=%" PRIu64
	       " associations=%" PRIu64 " rejected=%" PRIu64 " evicted=%" PRIu64
	       " timed_out=%" PRIu64 " open=%zu\n",
	    receiver->instances, receiver->incomplete, receiver->bytes, stats.connections,
	    stats.associations, stats.rejected, stats.evicted, stats.timed_out, stats.open);
}

static bool
set_option(struct ul_options *options, struct receiver *receiver, const char *word)
{
	const struct {
		const char *key;
		void *at;
		size_t size;
	} keys[] = {
	    {"max_associations=", &options->max_associations, sizeof options->max_associations},
	    {"max_per_peer=", &options->max_per_peer, sizeof options->max_per_peer},
	    {"artim_ms=", &options->artim_ms, sizeof options->artim_ms},
	    {"idle_ms=", &options->idle_ms, sizeof options->idle_ms},
	    {"max_pdu=", &options->max_pdu, sizeof options->max_pdu},
	    {"receive_bytes=", &options->receive_bytes, sizeof options->receive_bytes},
	    {"write_queue_bytes=", &options->write_queue_bytes, sizeof options->write_queue_bytes},
	    {"answer_ms=", &receiver->answer_ms, sizeof receiver->answer_ms},
	    {"pause_ms=", &receiver->pause_ms, sizeof receiver->pause_ms},
	};
	int64_t value;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		size_t length = strlen(keys[i].key);

		if (strncmp(word, keys[i].key, length) != 0)
			continue;
		if (text_to_integer(word + length, 0, INT32_MAX, &value) != 0)
			return false;
		memcpy(keys[i].at, &value, keys[i].size); /* little endian is enough here */
		return true;
	}
	return false;
}

static void
watch_signals(struct receiver *receiver)
{
	const int numbers[2] = {SIGTERM, SIGINT};

	for (size_t i = 0; i < 2; i++) {
		uv_signal_init(uv_default_loop(), &receiver->signals[i]);
		receiver->signals[i].data = receiver;
		uv_signal_start(&receiver->signals[i], on_signal, numbers[i]);
	}
}

int
main(int argc, char **argv)
{
	static const struct dimse_ops ops = {
	    on_associate, on_store_begin, on_store_data, on_store_end, on_closed};
	struct receiver receiver = {0};
	struct ul_options options;
	struct cairn_error err = {0};
	int64_t port;

	ul_options_default(&options);
	if (argc < 2 || text_to_integer(argv[1], 0, UINT16_MAX, &port) != 0)
		return 2;
	for (int i = 2; i < argc; i++)
		if (!set_option(&options, &receiver, argv[i]))
			return 2;
	if (dimse_listen(uv_default_loop(), "127.0.0.1", (uint16_t)port, &options, &ops, &receiver,
		&receiver.dimse, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	watch_signals(&receiver);
	printf("listening %u\n", ul_server_port(dimse_server(receiver.dimse)));
	fflush(stdout);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	return uv_loop_close(uv_default_loop()) == 0 ? 0 : 1;
}
