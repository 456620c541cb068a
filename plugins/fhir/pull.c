/* SPDX-License-Identifier: Apache-2.0 */
/* What both ways of fetching share: when, who waits for it, the token, how it ended. */
#include "pull.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "pull_private.h"

#define TOKEN_BYTES_MAX 16384
#define BODY_MAX ((size_t)16 << 20)
#define CLIENT_ASSERTION                                                                  \
	"grant_type=client_credentials&client_assertion_type="                            \
	"urn%%3Aietf%%3Aparams%%3Aoauth%%3Aclient-assertion-type%%3Ajwt-bearer&scope=%s&" \
	"client_assertion=%s"

static const char *
config(const struct pull *pull, const char *key)
{
	return cairn_config_string(pull->connector->cairn, key);
}

/* ---- saying ------------------------------------------------------------------------------- */

void
pull_say(struct pull *pull, const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	for (size_t i = 0; i < pull->request_count; i++)
		cairn_progress(pull->requests[i], text, strlen(text));
}

static void
recorded(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)arg, (void)body, (void)length;
	if (code != 0 && code != CAIRN_ECANCELLED)
		cairn_log(CAIRN_LOG_WARNING, "a pull is not in the ledger: %s", text);
}

static void
record(struct pull *pull, int code)
{
	char resources[32], waiting[32];
	const struct cairn_record_field fields[] = {
	    {"resources", resources}, {"waiting", waiting}, {"mode", config(pull, "mode")}};
	const struct cairn_record entry = {"fhir.pull", code == 0 ? "done" : "failed",
	    code == 0 ? NULL : cairn_code_text(code), fields, 3};

	snprintf(resources, sizeof resources, "%llu", (unsigned long long)pull->resources);
	snprintf(waiting, sizeof waiting, "%llu", (unsigned long long)pull->waiting);
	(void)cairn_record(pull->connector->cairn, &entry, 1, recorded, NULL);
}

static void
on_timer(uv_timer_t *timer)
{
	struct pull *pull = timer->data;

	if (pull->running) {
		export_timer(pull);
		return;
	}
	if (!pull->connector->stopping)
		(void)pull_call(pull->connector, NULL, NULL);
}

void
pull_wait(struct pull *pull, uint64_t seconds)
{
	uv_timer_start(&pull->timer, on_timer, seconds * 1000, 0);
}

static void
plan_next(struct pull *pull)
{
	int64_t interval = cairn_config_integer(pull->connector->cairn, "interval_s");

	if (interval > 0 && !pull->connector->stopping)
		uv_timer_start(&pull->timer, on_timer, (uint64_t)interval * 1000, 0);
}

void
pull_end(struct pull *pull, int code, const char *format, ...)
{
	struct cairn_request *requests[PULL_REQUESTS_MAX];
	size_t count = pull->request_count;
	va_list args;

	va_start(args, format);
	vsnprintf(pull->last, sizeof pull->last, format, args);
	va_end(args);
	if (pull->call != NULL)
		http_cancel(pull->call);
	pull->call = NULL;
	pull_drop_source(pull);
	memcpy(requests, pull->requests, sizeof requests);
	pull->request_count = 0;
	pull->running = false;
	pull->failed_before = code != 0;
	pull->last_ms = clock_wall_ms();
	uv_timer_stop(&pull->timer);
	cairn_log(code == 0 ? CAIRN_LOG_INFO : CAIRN_LOG_WARNING, "pull: %s", pull->last);
	if (!pull->connector->stopping)
		record(pull, code);
	for (size_t i = 0; i < count; i++) {
		if (code == 0)
			cairn_reply(requests[i], pull->last, strlen(pull->last));
		else
			cairn_fail(requests[i], code, "%s", pull->last);
	}
	plan_next(pull);
}

/* ---- pieces ------------------------------------------------------------------------------- */

void
pull_now_text(char ret[64], int64_t back_s)
{
	char text[CLOCK_TEXT_MAX];

	clock_text(clock_wall_ms() - (uint64_t)back_s * 1000, text);
	snprintf(ret, 64, "%s", text);
}

const char *
pull_type(struct pull *pull, size_t index)
{
	struct cairn *cairn = pull->connector->cairn;
	size_t count = cairn_config_list_length(cairn, "types");

	for (int patient = 1; patient >= 0; patient--) {
		for (size_t i = 0; i < count; i++) {
			const char *type = cairn_config_list_get(cairn, "types", i);

			if ((strcmp(type, "Patient") == 0) == (patient == 1) && index-- == 0)
				return type;
		}
	}
	return NULL;
}

void
pull_drop_source(struct pull *pull)
{
	if (pull->source_open)
		source_close(&pull->source);
	pull->source_open = false;
	step_free(pull->step);
	pull->step = NULL;
}

struct step *
pull_step(struct pull *pull)
{
	struct step *step = NULL;
	struct cairn_error err = {0};

	if (step_new(&step, pull->connector, config(pull, "base_url"), &err) != 0)
		pull_end(pull, err.code, "%s", err.text);
	return step;
}

bool
pull_stepped(struct pull *pull, int code, const char *why, const struct step_counts *counts)
{
	pull->stepping = false;
	if (pull->connector->stopping) {
		pull_end(pull, CAIRN_ECANCELLED, "stopped; the next one goes on there");
		pull_rest(pull);
		return false;
	}
	if (code != 0) {
		pull_end(pull, code, "%s", why);
		return false;
	}
	pull_count(pull, counts);
	return true;
}

void
pull_count(struct pull *pull, const struct step_counts *counts)
{
	pull->resources += counts->resources;
	pull->unused += counts->unused + counts->nameless + counts->orphans;
	pull->waiting += counts->waiting;
}

int
pull_follow(struct pull *pull, const char *base, const char *reference, const char *what, char *ret,
    size_t size)
{
	if (http_resolve(base, reference, ret, size) != 0)
		pull_end(pull, CAIRN_EPROTO, "the server's %s is no address", what);
	else if (!http_same_origin(pull->base, ret))
		pull_end(pull, CAIRN_EPROTO,
		    "the server's %s leads to another server, which is not followed; base_url must "
		    "be "
		    "the address that the server calls itself by",
		    what);
	else
		return 0;
	return CAIRN_EPROTO;
}

int
pull_keep_body(void *arg, const void *bytes, size_t length, struct cairn_error *err)
{
	struct pull *pull = arg;

	(void)err;
	return buf_append(&pull->body, bytes, length);
}

int
pull_get(struct pull *pull, const char *url, const char *accept, const char *prefer,
    struct http_request *request, struct cairn_error *err)
{
	char authorization[sizeof pull->token + 32];
	const char *headers[4] = {accept};
	size_t count = 1;
	int code;

	if (pull->token[0] != 0) {
		snprintf(
		    authorization, sizeof authorization, "Authorization: Bearer %s", pull->token);
		headers[count++] = authorization;
	}
	if (prefer != NULL)
		headers[count++] = prefer;
	headers[count] = NULL;
	request->method = request->method == NULL ? "GET" : request->method;
	request->url = url;
	request->headers = headers;
	request->arg = pull;
	code = http_start(pull->http, request, &pull->call, err);
	explicit_bzero(authorization, sizeof authorization);
	return code;
}

/* ---- the token ---------------------------------------------------------------------------- */

static bool
take_token(struct pull *pull)
{
	const struct json_limits limits = {TOKEN_BYTES_MAX, 16};
	struct json_parser *parser = NULL;
	struct json_value root, value;
	int64_t seconds = 300;
	bool good = false;

	if (buf_reserve(&pull->body, JSON_PADDING) == 0 && json_new(&parser, &limits, NULL) == 0 &&
	    json_parse(parser, (const char *)pull->body.data, pull->body.length, &root, NULL) ==
		0 &&
	    json_get(root, "access_token", &value)) {
		const char *text = json_string(value, NULL);

		good = text != NULL && strpbrk(text, "\r\n ") == NULL &&
		    text_copy(pull->token, sizeof pull->token, text);
		if (json_get(root, "expires_in", &value))
			(void)json_integer(value, &seconds);
	}
	json_free(parser);
	buf_fini(&pull->body);
	seconds = seconds < 30 ? 30 : seconds > 86400 ? 86400 : seconds;
	pull->token_until_ms = clock_monotonic_ms() + (uint64_t)(seconds - 15) * 1000;
	return good && pull->token[0] != 0;
}

static void
got_token(void *arg, const struct http_result *result)
{
	struct pull *pull = arg;

	pull->call = NULL;
	if (result->code != 0 || result->status != 200)
		pull_end(pull, result->code != 0 ? result->code : CAIRN_EDENIED,
		    "no token from auth.token_url: %s; is the key registered there? cairn fhir "
		    "status "
		    "prints it",
		    result->why);
	else if (!take_token(pull))
		pull_end(pull, CAIRN_EPROTO, "the answer of auth.token_url has no access_token");
	else
		pull->go(pull);
}

/* Percent-encodes all but letters, digits and -._~. */
static void
encode(const char *text, char *ret, size_t size)
{
	size_t at = 0;

	for (; *text != 0 && at + 4 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
		    strchr("-._~", c) != NULL)
			ret[at++] = (char)c;
		else
			at += (size_t)snprintf(ret + at, 4, "%%%02X", c);
	}
	ret[at] = 0;
}

static int
ask_token(struct pull *pull, struct cairn_error *err)
{
	static const char *const headers[] = {"Accept: application/json", NULL};
	BUF_AUTO assertion = {.max = 8192}, body = {.max = TOKEN_BYTES_MAX};
	struct http_request request = {.method = "POST",
	    .url = config(pull, "auth.token_url"),
	    .headers = headers,
	    .size_max = TOKEN_BYTES_MAX,
	    .data = pull_keep_body,
	    .done = got_token,
	    .arg = pull};
	char scope[3100];
	int code = assertion_sign(pull->key, config(pull, "auth.client_id"), request.url,
	    (uint64_t)time(NULL), &assertion);

	if (code == 0) {
		encode(config(pull, "auth.scope"), scope, sizeof scope);
		code = buf_append_format(&body, CLIENT_ASSERTION, scope, buf_text(&assertion));
	}
	if (code != 0)
		return cairn_error_set(err, code, "auth.client_id cannot be signed");
	buf_fini(&pull->body);
	buf_init(&pull->body, TOKEN_BYTES_MAX + JSON_PADDING);
	request.body = buf_text(&body);
	return http_start(pull->http, &request, &pull->call, err);
}

void
pull_with_token(struct pull *pull, void (*go)(struct pull *))
{
	struct cairn_error err = {0};

	if (config(pull, "auth.client_id")[0] == 0 ||
	    (pull->token[0] != 0 && clock_monotonic_ms() < pull->token_until_ms)) {
		go(pull);
		return;
	}
	pull->go = go;
	pull->token[0] = 0;
	if (ask_token(pull, &err) != 0)
		pull_end(pull, err.code, "auth.token_url: %s", err.text);
}

bool
pull_denied(struct pull *pull, const struct http_result *result, void (*go)(struct pull *))
{
	if (result->code != 0 || result->status != 401 || pull->token_tried ||
	    config(pull, "auth.client_id")[0] == 0)
		return false;
	pull->token_tried = true;
	pull->token[0] = 0;
	pull_drop_source(pull);
	pull_with_token(pull, go);
	return true;
}

/* ---- calls -------------------------------------------------------------------------------- */

int
pull_call(struct connector *connector, struct cairn_request *req, struct cairn_error *err)
{
	struct pull *pull = connector->pull;

	if (pull == NULL || pull->http == NULL)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "no server is configured: set base_url in plugins/available/fhir.yaml");
	if (req != NULL && pull->request_count == PULL_REQUESTS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "16 callers wait for this pull already");
	if (req != NULL)
		pull->requests[pull->request_count++] = req;
	if (pull->running)
		return 0;
	pull->running = true;
	pull->token_tried = false;
	pull->resources = pull->unused = pull->waiting = 0;
	pull->not_served[0] = 0;
	if (strcmp(config(pull, "mode"), "export") == 0)
		export_begin(pull);
	else
		search_begin(pull);
	return 0;
}

int
pull_status(struct connector *connector, struct cairn_request *req, struct cairn_error *err)
{
	struct pull *pull = connector->pull;
	struct facts_status facts;
	BUF_AUTO text = {.max = 16384};

	(void)err;
	facts_status_get(connector->facts, &facts);
	buf_append_format(&text,
	    "mapping: %s\nsince the start: %llu resources taken, %llu of which nothing is taken\n"
	    "waiting for their patient: %llu\npatients: %llu\nstatements on their way: %llu\n",
	    connector->mapping_name, (unsigned long long)connector->resources,
	    (unsigned long long)connector->unused, (unsigned long long)connector->waiting,
	    (unsigned long long)facts.patients, (unsigned long long)facts.queued);
	if (pull == NULL || pull->http == NULL) {
		buf_append_text(&text, "server: none is configured\n");
	} else {
		buf_append_format(&text, "server: %s\npull: %s\n", pull->base,
		    pull->running            ? "under way"
			: pull->last[0] == 0 ? "none yet"
					     : pull->last);
		if (config(pull, "auth.client_id")[0] != 0) {
			buf_append_text(&text, "public key to register there: ");
			(void)assertion_jwks(pull->key, &text);
			buf_append_text(&text, "\n");
		}
	}
	return cairn_reply(req, text.data, text.length);
}

/* Who no longer waits is told; the pull goes on. */
void
pull_cancel(struct connector *connector, const struct cairn_request *req)
{
	struct pull *pull = connector->pull;

	for (size_t i = 0; pull != NULL && i < pull->request_count; i++) {
		if (pull->requests[i] != req)
			continue;
		cairn_fail(pull->requests[i], CAIRN_ECANCELLED, "the pull goes on");
		pull->requests[i] = pull->requests[--pull->request_count];
		return;
	}
}

void
pull_health(struct connector *connector, struct cairn_findings *findings)
{
	struct pull *pull = connector->pull;
	const struct cairn_finding finding = {CAIRN_WARNING, pull == NULL ? "" : pull->last,
	    "what changed on the server since is not counted",
	    "put the cause right and try: cairn fhir pull"};

	if (pull != NULL && pull->failed_before)
		cairn_finding(findings, &finding);
}

/* ---- life --------------------------------------------------------------------------------- */

int
pull_open(struct connector *connector, struct cairn_error *err)
{
	struct cairn *cairn = connector->cairn;
	const char *base = cairn_config_string(cairn, "base_url");
	const struct http_options options = {.proxy = cairn_config_string(cairn, "proxy"),
	    .ca_file = cairn_config_string(cairn, "ca_file"),
	    .plain = cairn_config_bool(cairn, "plain_http"),
	    .timeout_s = (unsigned)cairn_config_integer(cairn, "timeout_s")};
	struct pull *pull;
	const uint8_t *secret;
	size_t length;
	int code;

	if (base[0] == 0)
		return 0;
	code = http_check_url(base, options.plain, err);
	if (code != 0)
		return cairn_error_prefix(err, code, "base_url");
	pull = calloc(1, sizeof *pull);
	if (pull == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	pull->connector = connector;
	buf_init(&pull->files, BODY_MAX);
	snprintf(
	    pull->base, sizeof pull->base, "%s%s", base, base[strlen(base) - 1] == '/' ? "" : "/");
	if (cairn_config_string(cairn, "auth.client_id")[0] != 0) {
		code = cairn_secret(cairn, "smart", &secret, &length);
		code = code == 0 ? assertion_key_new(&pull->key, secret, length, err)
				 : cairn_error_set(err, code, "no capability secret:smart");
	}
	if (code == 0)
		code = http_new(&pull->http, cairn_loop(cairn), &options, err);
	if (code != 0)
		return code; /* the process ends */
	uv_timer_init(cairn_loop(cairn), &pull->timer);
	pull->timer.data = pull;
	connector->pull = pull;
	if (cairn_config_integer(cairn, "interval_s") > 0)
		uv_timer_start(&pull->timer, on_timer, 1000, 0);
	return 0;
}

void
pull_rest(struct pull *pull)
{
	struct connector *connector = pull->connector;

	if (--pull->closing > 0)
		return;
	assertion_key_free(pull->key);
	buf_fini(&pull->body);
	buf_fini(&pull->files);
	explicit_bzero(pull->token, sizeof pull->token);
	free(pull);
	connector->pull = NULL;
	connector_rest(connector);
}

static void
http_closed(void *arg)
{
	pull_rest(arg);
}

static void
timer_closed(uv_handle_t *handle)
{
	pull_rest(handle->data);
}

void
pull_close(struct connector *connector)
{
	struct pull *pull = connector->pull;

	if (pull == NULL)
		return;
	pull->closing = 2;
	/* A step under way ends first, and finds the pull ended. */
	if (pull->running && !pull->stepping)
		pull_end(pull, CAIRN_ECANCELLED, "stopped; the next one goes on there");
	if (pull->stepping) {
		pull->closing = 3;
		if (pull->call != NULL)
			http_cancel(pull->call);
		pull->call = NULL;
	}
	http_close(pull->http, http_closed, pull);
	uv_close((uv_handle_t *)&pull->timer, timer_closed);
}
