/* SPDX-License-Identifier: Apache-2.0 */
#include "scp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dicom/dimse.h"
#include "ingest.h"
#include "visits.h"

#define HOUR_MS 3600000u

struct scp {
	struct connector *connector;
	struct dimse *dimse;
	const char *ae_title;
	bool check_called;
	const char **peers;
	size_t peer_count;
	uint64_t refused_ms[SCP_REFUSED_MAX]; /* when; a ring */
	size_t refused_next;
	char last_refused[128];
	uint64_t bytes; /* of instances, as they came */
};

static const struct cairn_metric store_seconds = {
    "store_seconds", "From a C-STORE's first byte to its answer.", NULL};

/* ---- who may associate ------------------------------------------------------------------ */

static bool
is_this_machine(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
	    strncmp(address, "::ffff:127.", 11) == 0;
}

static bool
entry_allows(const char *entry, const char *calling, const char *address)
{
	const char *at = strchr(entry, '@');
	size_t length = at == NULL ? strlen(entry) : (size_t)(at - entry);
	bool anybody = length == 1 && entry[0] == '*' && at != NULL;

	if (!anybody && (strlen(calling) != length || strncmp(entry, calling, length) != 0))
		return false;
	if (at == NULL)
		return true;
	/* An IPv4 peer of a dual-stack listener is shown as ::ffff:a.b.c.d. */
	return strcmp(at + 1, address) == 0 ||
	    (strncmp(address, "::ffff:", 7) == 0 && strcmp(at + 1, address + 7) == 0);
}

bool
scp_peer_allowed(const char *const *peers, size_t count, const char *calling, const char *address)
{
	if (count == 0)
		return is_this_machine(address);
	for (size_t i = 0; i < count; i++) {
		if (entry_allows(peers[i], calling, address))
			return true;
	}
	return false;
}

/* Little endian, explicit and implicit, whatever the peer's order; else the first that we know. */
static void
choose_transfer(struct ul_context *context)
{
	if (ul_context_choose(context, DCM_EXPLICIT_LE) ||
	    ul_context_choose(context, DCM_IMPLICIT_LE))
		return;
	for (size_t i = 0; i < context->transfer_count; i++) {
		if (dcm_syntax_find(context->transfers[i]) != NULL &&
		    ul_context_choose(context, context->transfers[i]))
			return;
	}
	context->result = UL_CONTEXT_NO_TRANSFER_SYNTAX;
}

/* A context that proposes only compressed syntaxes keeps them; one that proposes both gets what the
 * sender need not decompress for: its own first. */
static void
choose_storage(struct ul_context *context)
{
	const struct dcm_syntax *first =
	    context->transfer_count == 0 ? NULL : dcm_syntax_find(context->transfers[0]);

	if (first != NULL && first->encapsulated)
		ul_context_choose(context, context->transfers[0]);
	else
		choose_transfer(context);
}

static void
reject(struct scp *scp, struct ul_assoc *assoc, const struct ul_request *request,
    enum ul_reject_reason reason)
{
	struct visit *visit = visits_begin(request->calling, request->called, ul_peer(assoc));

	scp->refused_ms[scp->refused_next++ % SCP_REFUSED_MAX] = clock_monotonic_ms();
	snprintf(scp->last_refused, sizeof scp->last_refused, "'%.16s' at %.64s", request->calling,
	    ul_peer(assoc));
	if (visit != NULL)
		snprintf(visit->reason, sizeof visit->reason, "%s",
		    reason == UL_REJECT_CALLED ? "it called another AE title than this one"
					       : "it is not among `peers`, who may send");
	visits_refused(scp->connector->visits, visit);
	free(visit);
	ul_reject(assoc, UL_REJECT_PERMANENT, UL_REJECT_USER, reason);
}

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	struct scp *scp = arg;

	if (scp->check_called && strcmp(request->called, scp->ae_title) != 0) {
		cairn_log(CAIRN_LOG_WARNING, "scp: %s calls '%s', but this is '%s'; rejecting",
		    ul_peer(assoc), request->called, scp->ae_title);
		reject(scp, assoc, request, UL_REJECT_CALLED);
		return;
	}
	if (!scp_peer_allowed(scp->peers, scp->peer_count, request->calling, ul_peer(assoc))) {
		cairn_log(CAIRN_LOG_WARNING,
		    "scp: '%s' at %s is not among `peers`; rejecting (allow it in "
		    "plugins/available/dicom.yaml)",
		    request->calling, ul_peer(assoc));
		reject(scp, assoc, request, UL_REJECT_CALLING);
		return;
	}
	for (size_t i = 0; i < request->context_count; i++) {
		struct ul_context *context = &request->contexts[i];

		if (strcmp(context->abstract, DIMSE_VERIFICATION) == 0)
			choose_transfer(context);
		else if (dcm_storage_class_name(context->abstract) != NULL &&
		    deid_supported(context->abstract, NULL))
			choose_storage(context);
	}
	ul_set_user(assoc, visits_begin(request->calling, request->called, ul_peer(assoc)));
	ul_accept(assoc);
}

/* ---- C-STORE ---------------------------------------------------------------------------- */

/* An instance on its way: its association may end before it has its answer. */
struct receipt {
	struct scp *scp;
	struct dimse_store *store;
	struct ingest *ingest;
	struct visit *visit; /* NULL: not recorded */
	uint64_t began_ns;
};

static void
sink_pause(void *arg)
{
	struct receipt *receipt = arg;

	if (receipt->store->assoc != NULL)
		ul_pause(receipt->store->assoc);
}

static void
sink_resume(void *arg)
{
	struct receipt *receipt = arg;

	if (receipt->store->assoc != NULL)
		ul_resume(receipt->store->assoc);
}

static void
sink_done(void *arg, const struct ingest_result *result)
{
	struct receipt *receipt = arg;
	struct dimse_store *store = receipt->store;

	store->user = NULL;
	if (result->paused)
		sink_resume(receipt);
	if (result->code != 0)
		cairn_log(CAIRN_LOG_WARNING,
		    "scp: an instance from '%s' was refused (status %04XH): %s",
		    store->assoc == NULL ? "a peer that left" : ul_calling(store->assoc),
		    result->status, result->reason);
	visits_answered(
	    receipt->scp->connector->visits, receipt->visit, result->code, result->duplicate);
	cairn_metric_observe(receipt->scp->connector->cairn, &store_seconds, NULL,
	    (double)(uv_hrtime() - receipt->began_ns) / 1e9);
	free(receipt);
	dimse_store_respond(store, result->status, result->code == 0 ? NULL : result->reason);
}

static const struct ingest_sink sink = {sink_pause, sink_resume, sink_done};

static void
on_store_begin(void *arg, struct dimse_store *store)
{
	struct scp *scp = arg;
	struct ingest_claim claim = {
	    dcm_syntax_find(store->transfer_syntax), store->sop_class, store->sop_instance, true};
	struct receipt *receipt = calloc(1, sizeof *receipt);
	struct visit *visit = ul_user(store->assoc);

	visits_instance(visit);
	if (receipt != NULL)
		*receipt = (struct receipt){scp, store, NULL, visit, uv_hrtime()};
	if (receipt == NULL || claim.syntax == NULL || scp->connector->stopping ||
	    ingest_new(&receipt->ingest, scp->connector, &claim, &sink, receipt) != 0) {
		free(receipt);
		visits_answered(scp->connector->visits, visit, CAIRN_ENOMEM, false);
		dimse_store_respond(store, 0xa700, "out of resources");
	} else {
		store->user = receipt;
	}
}

static void
on_store_data(void *arg, struct dimse_store *store, const uint8_t *bytes, size_t length)
{
	struct receipt *receipt = store->user;
	struct scp *scp = arg;

	if (receipt == NULL)
		return;
	scp->bytes += length;
	if (receipt->visit != NULL)
		receipt->visit->bytes += length;
	ingest_data(receipt->ingest, bytes, length);
}

static void
on_store_end(void *arg, struct dimse_store *store, bool complete)
{
	struct receipt *receipt = store->user;
	struct scp *scp = arg;

	if (receipt == NULL)
		return;
	if (complete) {
		ingest_end(receipt->ingest);
		return;
	}
	store->user = NULL;
	ingest_abort(receipt->ingest);
	visits_answered(scp->connector->visits, receipt->visit, CAIRN_ECANCELLED, false);
	free(receipt);
	dimse_store_respond(store, 0xa700, NULL); /* the association is over: this only frees */
}

static void
on_closed(void *arg, struct ul_assoc *assoc, enum ul_reason reason)
{
	struct scp *scp = arg;

	if (reason != UL_RELEASED)
		cairn_log(CAIRN_LOG_INFO, "scp: the association with '%s' at %s ended: %s",
		    ul_calling(assoc), ul_peer(assoc), ul_reason_text(reason));
	visits_close(scp->connector->visits, ul_user(assoc),
	    reason == UL_RELEASED ? NULL : ul_reason_text(reason));
	ul_set_user(assoc, NULL);
}

/* ---- the server ------------------------------------------------------------------------- */

static int
load_peers(struct scp *scp, struct cairn *cairn)
{
	size_t count = cairn_config_list_length(cairn, "peers");

	scp->peers = calloc(count + 1, sizeof *scp->peers);
	if (scp->peers == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < count; i++)
		scp->peers[i] = cairn_config_list_get(cairn, "peers", i);
	scp->peer_count = count;
	return 0;
}

int
scp_new(struct scp **ret, struct connector *connector, struct cairn_error *err)
{
	static const struct dimse_ops ops = {
	    on_associate, on_store_begin, on_store_data, on_store_end, on_closed};
	struct cairn *cairn = connector->cairn;
	struct scp *scp = calloc(1, sizeof *scp);
	struct ul_options options;
	const char *address = cairn_config_string(cairn, "address");
	uint16_t port = (uint16_t)cairn_config_integer(cairn, "port");
	int fd = -1, code;

	if (scp == NULL || load_peers(scp, cairn) != 0) {
		free(scp);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	scp->connector = connector;
	scp->ae_title = cairn_config_string(cairn, "ae_title");
	scp->check_called = cairn_config_bool(cairn, "check_called");
	ul_options_default(&options);
	options.max_associations = (size_t)cairn_config_integer(cairn, "max_associations");
	options.max_per_peer = (size_t)cairn_config_integer(cairn, "max_per_peer");
	options.max_pdu = (uint32_t)cairn_config_integer(cairn, "max_pdu");
	options.idle_ms = (unsigned)cairn_config_integer(cairn, "idle_s") * 1000;
	code = cairn_listener(cairn, address, port, &fd, err);
	if (code == CAIRN_EEXIST) /* whatever has the port may leave it */
		code = cairn_error_set(err, CAIRN_EAGAIN,
		    "port %u of %.64s is in use by another program; stop that one (ss -ltnp), or "
		    "set another port",
		    port, address);
	if (code == 0)
		code =
		    dimse_listen_fd(cairn_loop(cairn), fd, &options, &ops, scp, &scp->dimse, err);
	if (code != 0) {
		free(scp->peers);
		free(scp);
		return code;
	}
	cairn_log(CAIRN_LOG_INFO, "scp: '%s' listens on %s port %u", scp->ae_title, address,
	    ul_server_port(dimse_server(scp->dimse)));
	*ret = scp;
	return 0;
}

void
scp_state_get(const struct scp *scp, struct scp_state *ret)
{
	const struct ul_server *server = dimse_server(scp->dimse);
	uint64_t now = clock_monotonic_ms();
	struct ul_stats stats;

	ul_server_stats(server, &stats);
	*ret = (struct scp_state){.port = ul_server_port(server),
	    .associated = stats.associated,
	    .associations = stats.associations,
	    .rejected = stats.rejected,
	    .bytes = scp->bytes};
	for (size_t i = 0; i < SCP_REFUSED_MAX; i++)
		ret->refused += scp->refused_ms[i] != 0 && now - scp->refused_ms[i] < HOUR_MS;
	memcpy(ret->last_refused, scp->last_refused, sizeof ret->last_refused);
}

/* What connects from now on waits in the kernel's copy of the socket. */
void
scp_drain(struct scp *scp, void (*drained)(void *arg), void *arg)
{
	ul_server_drain(dimse_server(scp->dimse), drained, arg);
}

struct closing {
	struct scp *scp;
	void (*freed)(void *arg);
	void *arg;
};

static void
server_closed(void *arg)
{
	struct closing *closing = arg;

	free(closing->scp->peers);
	free(closing->scp);
	closing->freed(closing->arg);
	free(closing);
}

void
scp_free(struct scp *scp, void (*freed)(void *arg), void *arg)
{
	struct closing *closing = malloc(sizeof *closing);

	if (closing == NULL) {
		freed(arg); /* the process ends: the sockets go with it */
		return;
	}
	*closing = (struct closing){scp, freed, arg};
	dimse_close(scp->dimse, server_closed, closing);
}
