/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "consumer.h"
#include "outbox.h"
#include "scp.h"

#define MIB ((uint64_t)1 << 20)
#define ROOM_LITTLE_MB 2048 /* a day of a busy CT */
#define ROOM_NONE_MB 128    /* near objects_options.disk_reserve: new instances are refused */
#define LISTENING "listening"
#define SETTINGS "plugins/available/dicom.yaml"
#define LATE_MS 60000u

static void
say(struct cairn_findings *findings, enum cairn_severity severity, const char *what,
    const char *why, const char *advice)
{
	cairn_finding(findings, &(struct cairn_finding){severity, what, why, advice});
}

/* ---- the port --------------------------------------------------------------------------- */

static void
own_note(struct cairn *cairn, char ret[128])
{
	snprintf(ret, 128, "%.64s %lld", cairn_config_string(cairn, "address"),
	    (long long)cairn_config_integer(cairn, "port"));
}

void
dicom_check_note(struct connector *connector)
{
	char path[4096], note[128];

	own_note(connector->cairn, note);
	if (file_join(path, sizeof path, cairn_state_dir(connector->cairn), LISTENING) != 0 ||
	    file_write(path, note, strlen(note), 0600, NULL) != 0)
		cairn_log(CAIRN_LOG_WARNING,
		    "cannot note where we listen; `cairn check` will take our port for another "
		    "program's, ignoring");
}

/* The one that is serving holds it already. Its note may be another user's, whose folder a check
 * without rights cannot read: then that it serves has to do. */
static bool
is_own(struct cairn *cairn)
{
	BUF_AUTO said = {.max = 256};
	char path[4096], note[128];

	own_note(cairn, note);
	if (!cairn_serving(cairn))
		return false;
	if (file_join(path, sizeof path, cairn_state_dir(cairn), LISTENING) != 0 ||
	    file_read(path, &said, NULL) != 0)
		return true;
	return said.length == strlen(note) && memcmp(said.data, note, said.length) == 0;
}

static int
try_to_listen(const struct sockaddr_storage *where, socklen_t length)
{
	int one = 1, reason = 0;
	int fd = socket(where->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (const struct sockaddr *)where, length) != 0 || listen(fd, 1) != 0)
		reason = errno;
	file_close(&fd);
	return reason;
}

static bool
read_address(const char *text, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_length)
{
	*ret_length = sizeof(struct sockaddr_in);
	if (uv_ip4_addr(text, port, (struct sockaddr_in *)ret) == 0)
		return true;
	*ret_length = sizeof(struct sockaddr_in6);
	return uv_ip6_addr(text, port, (struct sockaddr_in6 *)ret) == 0;
}

static void
say_port(struct cairn_findings *findings, const char *address, unsigned port, int reason)
{
	char what[256], advice[256] = "set `address` or `port` in " SETTINGS;

	if (reason == EADDRINUSE) {
		snprintf(what, sizeof what, "port %u of %.64s is in use by another program", port,
		    address);
		snprintf(advice, sizeof advice,
		    "see which with: ss -ltnp 'sport = :%u'; stop it, or set another `port` in "
		    "" SETTINGS,
		    port);
	} else if (reason == EADDRNOTAVAIL) {
		snprintf(what, sizeof what, "%.64s is no address of this machine", address);
	} else if (reason == EACCES) {
		snprintf(what, sizeof what, "this user may not listen on port %u", port);
		snprintf(advice, sizeof advice,
		    "ports below 1024 need CAP_NET_BIND_SERVICE: set it in the service's unit, or "
		    "set another `port`");
	} else {
		snprintf(what, sizeof what, "cannot listen on %.64s port %u: %s", address, port,
		    strerror(reason));
	}
	say(findings, CAIRN_FAULT, what, "the plugin would not start", advice);
}

static void
check_port(struct cairn *cairn, struct cairn_findings *findings)
{
	const char *address = cairn_config_string(cairn, "address");
	uint16_t port = (uint16_t)cairn_config_integer(cairn, "port");
	struct sockaddr_storage where = {0};
	socklen_t length;
	char what[256];
	int reason;

	if (!read_address(address, port, &where, &length)) {
		snprintf(what, sizeof what, "address '%.64s' is no IP address", address);
		say(findings, CAIRN_FAULT, what, "the plugin would not start",
		    "set `address` in " SETTINGS "; 0.0.0.0 stands for all of this machine's");
		return;
	}
	reason = try_to_listen(&where, length);
	if (reason != 0 && !(reason == EADDRINUSE && is_own(cairn)))
		say_port(findings, address, port, reason);
}

/* ---- who may send ----------------------------------------------------------------------- */

static const char *
title_fault(const char *title, size_t length)
{
	if (length == 0)
		return "has no AE title";
	if (length > 16)
		return "has an AE title of more than 16 characters (PS3.5 6.2)";
	for (size_t i = 0; i < length; i++) {
		if (title[i] < 0x20 || title[i] > 0x7e || title[i] == '\\')
			return "has a character that no AE title has (PS3.5 6.2)";
	}
	if (title[0] == ' ' || title[length - 1] == ' ')
		return "begins or ends with a space, which is taken away from what senders say";
	return NULL;
}

const char *
dicom_peer_fault(const char *entry)
{
	const char *at = strchr(entry, '@');
	size_t length = at == NULL ? strlen(entry) : (size_t)(at - entry);
	struct sockaddr_storage address;
	socklen_t size;

	if (length == 1 && entry[0] == '*' && at == NULL)
		return "matches nobody: to allow any AE title name its address, *@10.1.2.3";
	if (at != NULL && !read_address(at + 1, 1, &address, &size))
		return "names no IP address behind the @";
	return title_fault(entry, length);
}

static void
check_peers(struct cairn *cairn, struct cairn_findings *findings)
{
	size_t count = cairn_config_list_length(cairn, "peers");
	const char *address = cairn_config_string(cairn, "address");
	const char *fault = title_fault(
	    cairn_config_string(cairn, "ae_title"), strlen(cairn_config_string(cairn, "ae_title")));
	char what[256];

	if (fault != NULL) {
		snprintf(what, sizeof what, "ae_title %s", fault);
		say(findings, CAIRN_FAULT, what, "", "set `ae_title` in " SETTINGS);
	}
	for (size_t i = 0; i < count; i++) {
		const char *entry = cairn_config_list_get(cairn, "peers", i);

		fault = dicom_peer_fault(entry);
		if (fault == NULL)
			continue;
		snprintf(what, sizeof what, "peers: '%.64s' %s", entry, fault);
		say(findings, CAIRN_FAULT, what, "whoever is meant would be rejected",
		    "write it as AET, AET@10.1.2.3 or *@10.1.2.3 in " SETTINGS);
	}
	if (count == 0 && strncmp(address, "127.", 4) != 0 && strcmp(address, "::1") != 0)
		say(findings, CAIRN_WARNING,
		    "it listens to the network, and `peers` is empty: only this machine may send",
		    "every modality and PACS would be rejected",
		    "list who may send in `peers` of " SETTINGS);
}

/* ---- the store -------------------------------------------------------------------------- */

static void
say_room(struct cairn *cairn, bool always, struct cairn_findings *findings)
{
	const char *dir = cairn_objects_dir(cairn);
	struct statvfs fs;
	uint64_t mb;
	char what[256];

	if (dir == NULL || statvfs(dir, &fs) != 0)
		return; /* nothing was stored yet */
	mb = fs.f_bavail * fs.f_frsize / MIB;
	snprintf(what, sizeof what, "%llu MiB are free for images", (unsigned long long)mb);
	if (mb < ROOM_LITTLE_MB)
		say(findings, mb < ROOM_NONE_MB ? CAIRN_FAULT : CAIRN_WARNING, what,
		    mb < ROOM_NONE_MB ? "new images are refused (A700H, out of resources)"
				      : "new images are refused when it is full",
		    "make room on the disk of objects/, or move it to a larger one");
	else if (always)
		say(findings, CAIRN_FINE, what, "", "");
}

void
dicom_check(struct cairn *cairn, struct cairn_findings *findings)
{
	struct connector connector = {.cairn = cairn};
	struct cairn_error err = {0};

	check_port(cairn, findings);
	check_peers(cairn, findings);
	if (connector_open_profile(&connector, &err) != 0)
		say(findings, CAIRN_FAULT, err.text, "the plugin would not start",
		    "correct `deid` in " SETTINGS);
	say_room(cairn, false, findings);
}

/* ---- health ----------------------------------------------------------------------------- */

static void
say_scp(struct connector *connector, struct cairn_findings *findings)
{
	struct scp_state state;
	char what[256];

	scp_state_get(connector->scp, &state);
	snprintf(what, sizeof what,
	    "'%.16s' listens on %.64s port %u; %zu associations now, %llu since it started",
	    cairn_config_string(connector->cairn, "ae_title"),
	    cairn_config_string(connector->cairn, "address"), state.port, state.associated,
	    (unsigned long long)state.associations);
	say(findings, CAIRN_FINE, what, "", "");
	if (state.refused == 0)
		return;
	snprintf(what, sizeof what,
	    "%u%s associations were rejected within the hour, the last from %.100s", state.refused,
	    state.refused == SCP_REFUSED_MAX ? " or more" : "", state.last_refused);
	say(findings, CAIRN_WARNING, what, "somebody tries to send and is not allowed to",
	    "if it should be, add it to `peers` in " SETTINGS ", then: cairn plugin restart dicom");
}

static void
say_store(struct connector *connector, struct cairn_findings *findings)
{
	char what[256];

	snprintf(what, sizeof what,
	    "%llu instances held; since it started %llu stored, %llu were there already, %llu "
	    "refused",
	    (unsigned long long)objects_count(connector->objects),
	    (unsigned long long)connector->stored, (unsigned long long)connector->duplicates,
	    (unsigned long long)connector->refused);
	say(findings, CAIRN_FINE, what, "", "");
	say_room(connector->cairn, true, findings);
}

static void
say_outbox(struct connector *connector, struct cairn_findings *findings)
{
	struct outbox_state state;
	char what[256];
	uint64_t late_ms;

	outbox_state_get(connector->outbox, &state);
	late_ms = state.failing_since_ms == 0 ? 0 : clock_monotonic_ms() - state.failing_since_ms;
	if (late_ms == 0) {
		say(findings, CAIRN_FINE,
		    consumer_again(connector->consumer)
			? "the facts of all images are being handed over again, to a new index"
			: state.busy ? "facts of stored images are on their way"
				     : "the facts of all stored images have been handed over",
		    "", "");
		return;
	}
	snprintf(what, sizeof what, "the kernel has not taken facts for %llu s: %.150s",
	    (unsigned long long)(late_ms / 1000), state.failure);
	say(findings, late_ms > LATE_MS ? CAIRN_FAULT : CAIRN_WARNING, what,
	    "images are kept, and no count knows of them yet",
	    "cairn status; cairn job list: is the queue `facts` full, or the disk?");
}

void
dicom_health(struct connector *connector, struct cairn_findings *findings)
{
	if (connector->stopping)
		return;
	say_scp(connector, findings);
	say_store(connector, findings);
	say_outbox(connector, findings);
}
