/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <netinet/in.h>
#include <uv.h>

#include "base/test.h"
#include "observe/address.h"
#include "observe/endpoint.h"
#include "observe/http.h"
#include "observe/metrics.h"
#include "observe/notify.h"

/* ---- HTTP ------------------------------------------------------------------------------- */

static int
parse(const char *text)
{
	struct http_request request = {0};

	return http_parse((const uint8_t *)text, strlen(text), &request);
}

static void
http_takes_a_get_of_metrics_only(void **state)
{
	(void)state;
	assert_int_equal(parse("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
	assert_int_equal(parse("GET /metrics?format=x HTTP/1.0\r\n\r\n"), 200);
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
	assert_int_equal(parse("GET /metrics/../etc HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
	assert_int_equal(parse("POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
	assert_int_equal(parse("GET /metrics HTTP/1.1\r\nHost: a\r\n"), 0);
}

static void
http_refuses_what_could_smuggle(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), 413);
	assert_int_equal(
	    parse("GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n"), 413);
	assert_int_equal(parse("GET /metrics HTTP/1.1\r\n\r\n"), 400);
	assert_int_equal(parse("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
	assert_int_equal(parse("GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n"), 400);
	assert_int_equal(parse("GET /metrics HTTP/1.1\r\nHost: a\r\n x: folded\r\n\r\n"), 400);
	assert_int_equal(parse("GET /metrics HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"), 400);
	assert_int_equal(parse("GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
	assert_int_equal(parse("GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
	assert_int_equal(parse("GET /met\trics HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

static void
http_has_an_end_to_its_patience(void **state)
{
	static uint8_t bytes[HTTP_HEAD_MAX];
	struct http_request request = {0};

	(void)state;
	memset(bytes, 'a', sizeof bytes);
	assert_int_equal(http_parse(bytes, sizeof bytes - 1, &request), 0);
	assert_int_equal(http_parse(bytes, sizeof bytes, &request), 431);
}

/* ---- addresses -------------------------------------------------------------------------- */

static void
metrics_are_for_this_machine_only(void **state)
{
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(address_check("127.0.0.1:9464", &err), 0);
	assert_int_equal(address_check("[::1]:9464", &err), 0);
	assert_int_equal(address_check("/run/x.sock", &err), 0);
	assert_int_equal(address_check("0.0.0.0:9464", &err), CAIRN_EINVAL);
	assert_non_null(strstr(err.text, "this machine only"));
	assert_int_equal(address_check("[::]:9464", &err), CAIRN_EINVAL);
	assert_int_equal(address_check("localhost", &err), CAIRN_EINVAL);
	assert_int_equal(address_check("127.0.0.1:70000", &err), CAIRN_EINVAL);
}

/* ---- the page --------------------------------------------------------------------------- */

static void
a_label_cannot_leave_its_quotes(void **state)
{
	struct page page;
	const struct page_label labels[] = {{"name", "a\"} 1\nforged{x=\"\\"}, {NULL, NULL}};

	(void)state;
	page_init(&page);
	page_family(&page, "cairn_x", PAGE_GAUGE, "Help\nme.");
	page_sample(&page, labels, 0.5);
	assert_int_equal(page_finish(&page), 0);
	assert_string_equal(buf_text(&page.buf),
	    "# HELP cairn_x Help\\nme.\n# TYPE cairn_x gauge\n"
	    "cairn_x{name=\"a\\\"} 1\\nforged{x=\\\"\\\\\"} 0.5\n");
	page_fini(&page);
}

static Cairn__Metric
metric(const char *name, Cairn__Metric__Kind kind, double number)
{
	Cairn__Metric metric = CAIRN__METRIC__INIT;

	metric.name = (char *)(uintptr_t)name;
	metric.kind = kind;
	metric.number = number;
	return metric;
}

static size_t
take(struct metrics *metrics, const char *plugin, Cairn__Metric *one)
{
	Cairn__Metrics message = CAIRN__METRICS__INIT;
	Cairn__Metric *list[] = {one};

	message.metrics = list;
	message.n_metrics = 1;
	return metrics_take(metrics, plugin, &message);
}

static bool
shows(const struct metrics *metrics, const char *text)
{
	struct page page;
	bool found;

	page_init(&page);
	metrics_page(metrics, &page);
	found = strstr(buf_text(&page.buf), text) != NULL;
	page_fini(&page);
	return found;
}

static void
counters_outlive_a_plugin_and_gauges_do_not(void **state)
{
	struct metrics *metrics = metrics_new();
	Cairn__Metric counter = metric("stored_total", CAIRN__METRIC__KIND__COUNTER, 3);
	Cairn__Metric gauge = metric("open", CAIRN__METRIC__KIND__GAUGE, 2);

	(void)state;
	assert_int_equal(take(metrics, "dicom", &counter), 0);
	assert_int_equal(take(metrics, "dicom", &gauge), 0);
	assert_true(shows(metrics, "cairn_plugin_own_open{plugin=\"dicom\"} 2\n"));
	metrics_gone(metrics, "dicom");
	assert_false(shows(metrics, "cairn_plugin_own_open{"));
	assert_int_equal(take(metrics, "dicom", &counter), 0);
	assert_true(shows(metrics, "cairn_plugin_own_stored_total{plugin=\"dicom\"} 6\n"));
	metrics_free(metrics);
}

static void
what_a_plugin_says_is_bounded_and_checked(void **state)
{
	struct metrics *metrics = metrics_new();
	Cairn__Metric bad = metric("Up{", CAIRN__METRIC__KIND__COUNTER, 1);
	Cairn__Metric down = metric("down", CAIRN__METRIC__KIND__COUNTER, -1);
	Cairn__Metric other = metric("twice", CAIRN__METRIC__KIND__COUNTER, 1);

	(void)state;
	assert_int_equal(take(metrics, "a", &bad), 1);
	assert_int_equal(take(metrics, "a", &down), 1);
	assert_int_equal(take(metrics, "a", &other), 0);
	other.kind = CAIRN__METRIC__KIND__GAUGE;
	assert_int_equal(take(metrics, "a", &other), 1);
	for (unsigned i = 0; i < 2 * METRICS_SERIES_MAX; i++) {
		char value[16];
		Cairn__Metric labelled = metric("many", CAIRN__METRIC__KIND__COUNTER, 1);

		snprintf(value, sizeof value, "%u", i);
		labelled.label = (char *)(uintptr_t) "which";
		labelled.value = value;
		assert_int_equal(take(metrics, "a", &labelled), i < METRICS_SERIES_MAX - 1 ? 0 : 1);
	}
	metrics_free(metrics);
}

static void
subjects_are_bounded(void **state)
{
	struct metrics *metrics = metrics_new();

	(void)state;
	for (unsigned i = 0; i < METRICS_SUBJECTS_MAX + 100; i++) {
		char subject[32];

		snprintf(subject, sizeof subject, "a.b%u", i);
		metrics_call(metrics, subject, 0, 0.002);
	}
	assert_true(shows(metrics, "cairn_calls_total{subject=\"other\",result=\"ok\"} 100\n"));
	assert_true(
	    shows(metrics, "cairn_call_seconds_bucket{subject=\"other\",le=\"0.0025\"} 100\n"));
	metrics_free(metrics);
}

/* ---- the endpoint ----------------------------------------------------------------------- */

static void
fill(void *arg, struct page *page)
{
	(void)arg;
	page_figure(page, "cairn_one", PAGE_GAUGE, "One.", 1);
}

struct client {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	const char *request;
	char answer[1024];
	size_t length;
};

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct client *client = handle->data;

	(void)suggested;
	*buf = uv_buf_init(client->answer + client->length,
	    (unsigned)(sizeof client->answer - 1 - client->length));
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct client *client = stream->data;

	(void)buf;
	if (got > 0)
		client->length += (size_t)got;
	else if (got < 0)
		uv_close((uv_handle_t *)stream, NULL);
}

static void
on_connect(uv_connect_t *connect, int status)
{
	struct client *client = connect->handle->data;
	uv_buf_t buf =
	    uv_buf_init((char *)(uintptr_t)client->request, (unsigned)strlen(client->request));

	assert_int_equal(status, 0);
	uv_write(&client->write, connect->handle, &buf, 1, NULL);
	uv_read_start(connect->handle, on_alloc, on_read);
}

static void
the_endpoint_answers_one_request_a_connection(void **state)
{
	uv_loop_t loop;
	struct endpoint *endpoint;
	struct cairn_error err = {0};
	struct sockaddr_in address;
	struct client client = {.request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
					   "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"};

	(void)state;
	uv_loop_init(&loop);
	assert_ok(endpoint_open(&endpoint, &loop, "127.0.0.1:0", fill, NULL, &err), &err);
	uv_ip4_addr("127.0.0.1", endpoint_port(endpoint), &address);
	uv_tcp_init(&loop, &client.tcp);
	client.tcp.data = &client;
	uv_tcp_connect(&client.connect, &client.tcp, (const struct sockaddr *)&address, on_connect);
	while (!uv_is_closing((uv_handle_t *)&client.tcp))
		uv_run(&loop, UV_RUN_ONCE);
	assert_non_null(strstr(client.answer, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(client.answer, "version=0.0.4"));
	assert_non_null(strstr(client.answer, "\r\n\r\n# HELP cairn_one One.\n"));
	assert_null(strstr(strstr(client.answer, "200 OK") + 1, "200 OK"));
	assert_int_equal(endpoint_pages(endpoint), 1);
	endpoint_close(endpoint);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- the service manager ---------------------------------------------------------------- */

static void
the_service_manager_gets_signs_of_life(void **state)
{
	struct test_dir dir;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[256];
	struct notify *notify;
	uv_loop_t loop;
	ssize_t got;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	test_dir_make(&dir);
	snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", dir.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("WATCHDOG_USEC", "2000", 1);
	uv_loop_init(&loop);
	notify = notify_open(&loop);
	assert_non_null(notify);
	notify_status(notify, "two\nlines");
	got = recv(fd, text, sizeof text, 0);
	assert_int_equal(got, strlen("STATUS=two lines"));
	assert_memory_equal(text, "STATUS=two lines", (size_t)got);
	uv_run(&loop, UV_RUN_NOWAIT);
	got = recv(fd, text, sizeof text, 0);
	assert_int_equal(got, strlen("WATCHDOG=1"));
	notify_close(notify);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	close(fd);
	test_dir_remove(&dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_takes_a_get_of_metrics_only),
	    cmocka_unit_test(http_refuses_what_could_smuggle),
	    cmocka_unit_test(http_has_an_end_to_its_patience),
	    cmocka_unit_test(metrics_are_for_this_machine_only),
	    cmocka_unit_test(a_label_cannot_leave_its_quotes),
	    cmocka_unit_test(counters_outlive_a_plugin_and_gauges_do_not),
	    cmocka_unit_test(what_a_plugin_says_is_bounded_and_checked),
	    cmocka_unit_test(subjects_are_bounded),
	    cmocka_unit_test(the_endpoint_answers_one_request_a_connection),
	    cmocka_unit_test(the_service_manager_gets_signs_of_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
