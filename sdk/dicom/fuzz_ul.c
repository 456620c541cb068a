/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes through the acceptor: parser, state machine and DIMSE, without a transport.  The
 * first byte says how large the pieces are in which the rest arrives and what the consumer does:
 *   bits 0-2  pieces of 1, 2, 5, 16, 100, 1000, 10000 bytes, or all at once
 *   bit 3     a request for two storage classes comes first
 *   bit 4     answers C-STORE at its beginning, not at its end
 *   bit 5     pauses at every piece of data
 *   bit 6     never answers
 *   bit 7     asks for a release after the acceptance
 */
#include <stdlib.h>

#include "dicom/dimse.h"
#include "dicom/ul_fake.h"

struct consumer {
	uint8_t mode;
	struct dimse_store *kept[64];
	size_t kept_count;
	unsigned announced;
	bool deaf;
};

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	struct consumer *consumer = arg;

	consumer->announced++;
	for (size_t i = 0; i < request->context_count; i++)
		if (request->contexts[i].abstract[0] == '1')
			ul_context_choose(&request->contexts[i], request->contexts[i].transfers[0]);
	ul_accept(assoc);
	if ((consumer->mode & 0x80) != 0)
		ul_release(assoc);
}

static void
on_store_begin(void *arg, struct dimse_store *store)
{
	struct consumer *consumer = arg;

	if ((consumer->mode & 0x10) != 0)
		dimse_store_respond(store, DIMSE_OUT_OF_RESOURCES, "full");
}

static void
on_store_data(void *arg, struct dimse_store *store, const uint8_t *bytes, size_t length)
{
	struct consumer *consumer = arg;
	volatile uint8_t last = bytes[length - 1]; /* the piece must be readable to its end */

	(void)last;
	if ((consumer->mode & 0x20) != 0)
		ul_pause(store->assoc);
}

static void
on_store_end(void *arg, struct dimse_store *store, bool complete)
{
	struct consumer *consumer = arg;

	if ((consumer->mode & 0x40) != 0 && complete && consumer->kept_count < 64)
		consumer->kept[consumer->kept_count++] = store;
	else
		dimse_store_respond(store, DIMSE_SUCCESS, NULL);
}

static void
on_closed(void *arg, struct ul_assoc *assoc, enum ul_reason reason)
{
	struct consumer *consumer = arg;

	(void)assoc;
	(void)reason;
	consumer->announced--;
}

static void
feed_in_pieces(struct ul_fake *fake, const uint8_t *data, size_t size, size_t piece)
{
	while (size > 0) {
		size_t n = size < piece ? size : piece;

		ul_fake_feed(fake, data, n);
		data += n;
		size -= n;
		for (int i = 0; i < 4 && fake->stash.length > 0; i++) {
			ul_resume(&fake->assoc);
			ul_fake_turn(fake);
		}
		if (fake->woken)
			ul_fake_turn(fake);
		buf_clear(&fake->sent);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {1, 2, 5, 16, 100, 1000, 10000, 1 << 30};
	static const struct dimse_ops ops = {
	    on_associate, on_store_begin, on_store_data, on_store_end, on_closed};
	struct consumer consumer = {0};
	struct ul_fake fake;
	struct ul_ops ul_ops;
	struct dimse *dimse;
	BUF_AUTO request = {.max = 65536};

	if (size == 0 || dimse_new(&ops, &consumer, &dimse, &ul_ops) != 0)
		return 0;
	consumer.mode = data[0];
	ul_fake_init(&fake, &ul_ops, dimse);
	if ((consumer.mode & 8) != 0) {
		ul_fake_request(&request,
		    (const char *const[]){"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"}, 2,
		    16384);
		ul_fake_feed(&fake, request.data, request.length);
	}
	feed_in_pieces(&fake, data + 1, size - 1, pieces[consumer.mode & 7]);
	ul_fake_fini(&fake);
	dimse_free(dimse);
	for (size_t i = 0; i < consumer.kept_count; i++)
		dimse_store_respond(consumer.kept[i], DIMSE_SUCCESS, NULL);
	if (consumer.announced != 0)
		abort();
	return 0;
}
