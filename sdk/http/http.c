/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/rand.h>
#include <uv.h>

#include "base/text.h"

#define ATTEMPTS 6
#define PAUSE_MS 500
#define PAUSE_MAX_S 300
#define REDIRECTS_MAX 5
#define LOCATION_MAX 2048

struct http {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	struct http_options options;
	char *proxy, *ca_file;
	struct http_call *calls;
	unsigned handles; /* of libuv, open */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct http_call {
	struct http *http;
	struct http_call *next;
	CURL *easy;
	struct curl_slist *headers;
	char *url, *body, *method;
	struct http_request request;
	uv_timer_t timer; /* until it is tried again */
	unsigned attempt, redirects;
	uint64_t received;
	bool paused, held; /* asked for; libcurl holds data back */
	bool running;      /* with libcurl */
	char location[LOCATION_MAX];
	uint64_t retry_after_s;
	struct cairn_error err;
};

struct poll {
	uv_poll_t handle;
	struct http *http;
	curl_socket_t socket;
};

static int begin(struct http_call *call);
static void ended(struct http_call *call, CURLcode code);

/* ---- libcurl on libuv --------------------------------------------------------------------- */

static void
handle_closed(struct http *http)
{
	if (--http->handles > 0 || !http->closing)
		return;
	curl_multi_cleanup(http->multi);
	free(http->proxy);
	free(http->ca_file);
	http->closed(http->closed_arg);
	free(http);
}

static void
take_ended(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		ended(call, message->data.result);
	}
}

static void
on_poll(uv_poll_t *handle, int status, int events)
{
	struct poll *poll = handle->data;
	struct http *http = poll->http;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

	flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
	flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
	curl_multi_socket_action(http->multi, poll->socket, flags, &running);
	take_ended(http);
}

static void
on_timer(uv_timer_t *timer)
{
	struct http *http = timer->data;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_ended(http);
}

/* Never calls libcurl from here, as it asks. */
static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http *http = arg;

	(void)multi;
	if (http->closing)
		return 0;
	if (timeout_ms < 0)
		uv_timer_stop(&http->timer);
	else
		uv_timer_start(&http->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void
poll_closed(uv_handle_t *handle)
{
	struct poll *poll = handle->data;

	handle_closed(poll->http);
	free(poll);
}

static int
set_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *socket_arg)
{
	struct http *http = arg;
	struct poll *poll = socket_arg;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (poll != NULL) {
			uv_poll_stop(&poll->handle);
			uv_close((uv_handle_t *)&poll->handle, poll_closed);
			curl_multi_assign(http->multi, socket, NULL);
		}
		return 0;
	}
	if (poll == NULL) {
		poll = calloc(1, sizeof *poll);
		if (poll == NULL || uv_poll_init_socket(http->loop, &poll->handle, socket) != 0) {
			free(poll);
			return -1;
		}
		http->handles++;
		poll->http = http;
		poll->socket = socket;
		poll->handle.data = poll;
		curl_multi_assign(http->multi, socket, poll);
	}
	events |= what != CURL_POLL_OUT ? UV_READABLE : 0;
	events |= what != CURL_POLL_IN ? UV_WRITABLE : 0;
	return uv_poll_start(&poll->handle, events, on_poll) == 0 ? 0 : -1;
}

/* ---- life --------------------------------------------------------------------------------- */

static char *
copy(const char *text)
{
	return text == NULL || text[0] == 0 ? NULL : strdup(text);
}

int
http_new(struct http **ret, struct uv_loop_s *loop, const struct http_options *options,
    struct cairn_error *err)
{
	struct http *http = calloc(1, sizeof *http);

	if (http == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    (http->multi = curl_multi_init()) == NULL) {
		free(http);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory for HTTP");
	}
	http->loop = loop;
	http->options = *options;
	http->options.attempts = options->attempts == 0 ? ATTEMPTS : options->attempts;
	http->options.pause_ms = options->pause_ms == 0 ? PAUSE_MS : options->pause_ms;
	http->options.pause_max_s = options->pause_max_s == 0 ? PAUSE_MAX_S : options->pause_max_s;
	http->proxy = copy(options->proxy);
	http->ca_file = copy(options->ca_file);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	uv_timer_init(loop, &http->timer);
	http->timer.data = http;
	http->handles = 1;
	*ret = http;
	return 0;
}

static void
call_freed(uv_handle_t *handle)
{
	struct http_call *call = handle->data;
	struct http *http = call->http;

	free(call->url);
	free(call->method);
	if (call->body != NULL)
		explicit_bzero(call->body, strlen(call->body));
	free(call->body);
	free(call);
	handle_closed(http);
}

/* Out of the list and away; its memory goes with its timer. */
static void
call_end(struct http_call *call)
{
	struct http_call **at = &call->http->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	if (call->running)
		curl_multi_remove_handle(call->http->multi, call->easy);
	call->running = false;
	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	call->headers = NULL;
	call->easy = NULL;
	uv_close((uv_handle_t *)&call->timer, call_freed);
}

static void
timer_closed(uv_handle_t *handle)
{
	handle_closed(handle->data);
}

void
http_close(struct http *http, void (*closed)(void *arg), void *arg)
{
	static const struct http_result cancelled = {CAIRN_ECANCELLED, 0, "stopping", "", 0};

	http->closing = true;
	http->closed = closed;
	http->closed_arg = arg;
	while (http->calls != NULL) {
		struct http_request request = http->calls->request;

		call_end(http->calls);
		request.done(request.arg, &cancelled);
	}
	uv_timer_stop(&http->timer);
	uv_close((uv_handle_t *)&http->timer, timer_closed);
}

/* ---- what comes --------------------------------------------------------------------------- */

static size_t
on_data(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t length = size * count;
	long status = 0;
	int code;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 299)
		return length; /* what it says besides is not looked at */
	if (call->paused) {
		call->held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (call->request.size_max != 0 && length > call->request.size_max - call->received) {
		cairn_error_set(&call->err, CAIRN_ELIMIT, "the answer is larger than %llu bytes",
		    (unsigned long long)call->request.size_max);
		return 0;
	}
	call->received += length;
	code = call->request.data == NULL
	    ? 0
	    : call->request.data(call->request.arg, bytes, length, &call->err);
	call->paused = code == HTTP_PAUSE;
	if (code < 0) {
		if (call->err.code == 0)
			cairn_error_set(&call->err, code, "%s", cairn_code_text(code));
		return 0;
	}
	return length;
}

static bool
take_header(const char *line, size_t length, const char *name, char *ret, size_t size)
{
	size_t skip = strlen(name);

	if (length <= skip || strncasecmp(line, name, skip) != 0)
		return false;
	while (skip < length && (line[skip] == ' ' || line[skip] == '\t'))
		skip++;
	while (length > skip && (unsigned char)line[length - 1] <= ' ')
		length--;
	if (length - skip >= size)
		return false;
	memcpy(ret, line + skip, length - skip);
	ret[length - skip] = 0;
	return true;
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t length = size * count;
	char text[64];
	int64_t seconds;

	(void)take_header(line, length, "content-location:", call->location, sizeof call->location);
	if (!take_header(line, length, "retry-after:", text, sizeof text))
		return length;
	if (text_to_integer(text, 0, 86400 * 30, &seconds) == 0) {
		call->retry_after_s = (uint64_t)seconds;
	} else {
		time_t when = curl_getdate(text, NULL), now = time(NULL);

		call->retry_after_s = when > now ? (uint64_t)(when - now) : 0;
	}
	return length;
}

void
http_resume(struct http_call *call)
{
	bool held = call->held;

	call->paused = call->held = false;
	if (held && call->running) {
		curl_easy_pause(call->easy, CURLPAUSE_CONT);
		uv_timer_start(&call->http->timer, on_timer, 0, 0);
	}
}

void
http_cancel(struct http_call *call)
{
	call_end(call);
}

/* ---- the end of an attempt ---------------------------------------------------------------- */

static void
finish(struct http_call *call, int code, long status, const char *why)
{
	struct http_request request = call->request;
	char location[LOCATION_MAX], words[CAIRN_ERROR_TEXT_MAX];
	struct http_result result = {.code = code,
	    .status = status,
	    .why = words,
	    .content_location = location,
	    .retry_after_s = call->retry_after_s};

	memcpy(location, call->location, sizeof location);
	snprintf(words, sizeof words, "%s", why);
	call_end(call);
	request.done(request.arg, &result);
}

static void
on_again(uv_timer_t *timer)
{
	struct http_call *call = timer->data;
	int code = begin(call);

	if (code != 0)
		finish(call, code, 0, "out of memory");
}

/* Half to all of a pause that doubles. */
static void
try_again(struct http_call *call)
{
	const struct http_options *options = &call->http->options;
	uint64_t longest = (uint64_t)options->pause_max_s * 1000;
	uint64_t pause = (uint64_t)options->pause_ms << (call->attempt > 10 ? 10 : call->attempt);
	uint16_t random = 0;

	(void)RAND_bytes((unsigned char *)&random, sizeof random);
	pause = pause / 2 + pause / 2 * random / 65535;
	if (call->retry_after_s > 0)
		pause = call->retry_after_s * 1000 + pause;
	uv_timer_start(&call->timer, on_again, pause > longest ? longest : pause, 0);
	call->attempt++;
}

static bool
is_busy(long status)
{
	return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static bool
may_pass(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
	    code == CURLE_OPERATION_TIMEDOUT || code == CURLE_RECV_ERROR ||
	    code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE ||
	    code == CURLE_COULDNT_RESOLVE_PROXY;
}

static void
redirect(struct http_call *call, long status)
{
	char *to = NULL, *copied = NULL;

	curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &to);
	if (to == NULL || !http_same_origin(call->url, to)) {
		finish(call, CAIRN_EPROTO, status,
		    "the server redirects to another origin, which is not followed");
		return;
	}
	if (++call->redirects > REDIRECTS_MAX || (copied = strdup(to)) == NULL) {
		finish(call, CAIRN_EPROTO, status, "the server redirects more than five times");
		return;
	}
	free(call->url);
	call->url = copied;
	if (begin(call) != 0)
		finish(call, CAIRN_ENOMEM, 0, "out of memory");
}

static void
ended(struct http_call *call, CURLcode code)
{
	bool more = call->attempt + 1 < call->http->options.attempts && call->received == 0;
	char words[160];
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(call->http->multi, call->easy);
	call->running = false;
	if (call->err.code != 0) {
		snprintf(words, sizeof words, "%.150s", call->err.text);
		finish(call, call->err.code, status, words);
	} else if (code != CURLE_OK && may_pass(code) && more) {
		try_again(call);
	} else if (code != CURLE_OK) {
		snprintf(words, sizeof words, "%s", curl_easy_strerror(code));
		finish(call, code == CURLE_OPERATION_TIMEDOUT ? CAIRN_ETIMEOUT : CAIRN_EUNAVAILABLE,
		    status, words);
	} else if (is_busy(status) && more) {
		try_again(call);
	} else if (status == 301 || status == 302 || status == 307 || status == 308) {
		redirect(call, status);
	} else {
		snprintf(words, sizeof words, "the server answers %ld", status);
		finish(call, 0, status, status >= 200 && status <= 299 ? "" : words);
	}
}

/* ---- an attempt --------------------------------------------------------------------------- */

static void
set_options(struct http_call *call)
{
	const struct http *http = call->http;
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_URL, call->url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_PROXY, http->proxy == NULL ? "" : http->proxy);
	if (http->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)http->options.timeout_s);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)http->options.timeout_s);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "cairn");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	if (strcmp(call->method, "POST") == 0)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body == NULL ? "" : call->body);
	else if (strcmp(call->method, "GET") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static int
begin(struct http_call *call)
{
	if (call->easy == NULL)
		call->easy = curl_easy_init();
	else
		curl_easy_reset(call->easy);
	if (call->easy == NULL)
		return CAIRN_ENOMEM;
	call->received = 0;
	call->retry_after_s = 0;
	call->location[0] = 0;
	call->paused = call->held = false;
	set_options(call);
	if (curl_multi_add_handle(call->http->multi, call->easy) != CURLM_OK)
		return CAIRN_ENOMEM;
	call->running = true;
	return 0;
}

static int
add_headers(struct http_call *call, const char *const *headers)
{
	for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
		struct curl_slist *longer = curl_slist_append(call->headers, headers[i]);

		if (longer == NULL)
			return CAIRN_ENOMEM;
		call->headers = longer;
	}
	return 0;
}

int
http_start(struct http *http, const struct http_request *request, struct http_call **ret,
    struct cairn_error *err)
{
	struct http_call *call;
	int code = http_check_url(request->url, http->options.plain, err);

	if (code != 0)
		return code;
	call = calloc(1, sizeof *call);
	if (call == NULL || http->closing) {
		free(call);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory, or stopping");
	}
	call->http = http;
	call->request = *request;
	call->url = strdup(request->url);
	call->method = strdup(request->method);
	call->body = copy(request->body);
	uv_timer_init(http->loop, &call->timer);
	call->timer.data = call;
	http->handles++;
	call->next = http->calls;
	http->calls = call;
	if (call->url == NULL || call->method == NULL || add_headers(call, request->headers) != 0 ||
	    begin(call) != 0) {
		call_end(call);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	*ret = call;
	return 0;
}
