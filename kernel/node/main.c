/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cairnd --home DIR: runs a node in the foreground until SIGTERM or SIGINT; SIGHUP reloads
 * plugins, settings and policies.  Exit status: 0 after an orderly stop, 1 when it could not start,
 * 2 for wrong usage.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/log.h"
#include "node/node.h"
#include "node/replace.h"

struct program {
	bool gave_up;
	struct node *node;
	uv_signal_t signals[3];
};

static void
node_closed(void *arg)
{
	struct program *program = arg;

	program->node = NULL;
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&program->signals[i], NULL);
	log_info("node", "stopped");
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct program *program = handle->data;

	if (program->node == NULL || program->node->closing)
		return;
	if (number == SIGHUP) {
		replace_reload_quietly(program->node, "signal:SIGHUP");
		return;
	}
	log_info("node", "stopping");
	program->gave_up = program->node->gave_up;
	node_close(program->node, node_closed, program);
}

static int
usage(FILE *to)
{
	fputs("usage: cairnd --home DIR\n"
	      "Runs the node whose home is DIR (made by `cairn init DIR`) in the foreground.\n"
	      "  --home DIR   the node's home; default: $CAIRN_HOME, else /var/lib/cairn\n"
	      "  --debug      log at debug level\n"
	      "  --dev        also run plugins that nobody signed or accepted; for development\n",
	    to);
	return to == stdout ? 0 : 2;
}

static int
run(const struct node_options *options)
{
	static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
	struct program program = {0};
	struct cairn_error err = {0};
	uv_loop_t loop;
	int code;

	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&loop);
	code = node_open(&program.node, &loop, options, &err);
	for (size_t i = 0; code == 0 && i < 3; i++) {
		uv_signal_init(&loop, &program.signals[i]);
		program.signals[i].data = &program;
		uv_signal_start(&program.signals[i], on_signal, numbers[i]);
	}
	if (code != 0)
		fprintf(stderr, "cairnd: the node did not start: %s\n", err.text);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return code == 0 && !program.gave_up ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"home", required_argument, NULL, 'H'},
	    {"debug", no_argument, NULL, 'd'}, {"dev", no_argument, NULL, 'D'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	struct node_options node = {.home = getenv("CAIRN_HOME")};
	int option;

	if (node.home == NULL)
		node.home = "/var/lib/cairn";
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'H':
			node.home = optarg;
			break;
		case 'D':
			node.development = true;
			break;
		case 'd':
			log_set_level(CAIRN_LOG_DEBUG);
			break;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (optind != argc)
		return usage(stderr);
	return run(&node);
}
