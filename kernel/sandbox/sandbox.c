/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"

#define TOPIC "sandbox"
#define MIB ((rlim_t)1 << 20)

/* Sanitizers map terabytes for their shadow memory, so that nothing can be said about memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int
failed(struct cairn_error *err, const char *what)
{
	return cairn_error_set(
	    err, CAIRN_EIO, "cannot confine the host: %s: %s", what, strerror(errno));
}

/* ---- user and capabilities -------------------------------------------------------------- */

/* Medical devices are set up for port 104, which needs a capability; it is the only one kept. */
static int
drop_capabilities(const struct sandbox_policy *policy, struct cairn_error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	uint32_t bind = policy->listen ? 1u << CAP_NET_BIND_SERVICE : 0;

	if (syscall(SYS_capget, &header, data) != 0)
		return failed(err, "capget");
	bind &= data[0].permitted;
	memset(data, 0, sizeof data);
	data[0].permitted = data[0].effective = bind;
	return syscall(SYS_capset, &header, data) == 0 ? 0 : failed(err, "capset");
}

static int
become(const struct sandbox_policy *policy, struct cairn_error *err)
{
	gid_t gid = policy->gid;

	if (policy->uid == 0)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1) != 0)
		return failed(err, "PR_SET_KEEPCAPS");
	if (setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(policy->uid, policy->uid, policy->uid) != 0)
		return failed(err, "changing the user");
	/* The change took these away.  Nobody else has this uid, so that /proc/self stays ours. */
	if (prctl(PR_SET_DUMPABLE, 1) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return failed(err, "prctl");
	return 0;
}

/* ---- limits ----------------------------------------------------------------------------- */

/* Never above what the node has itself. */
static int
limit(int resource, rlim_t most, const char *what, struct cairn_error *err)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
		return failed(err, what);
	if (now.rlim_max == RLIM_INFINITY || now.rlim_max > most)
		now.rlim_max = most;
	now.rlim_cur = now.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &now) == 0 ? 0 : failed(err, what);
}

static int
limits(const struct sandbox_policy *policy, struct cairn_error *err)
{
	int code = limit(RLIMIT_NICE, 0, "RLIMIT_NICE", err);

	if (code == 0)
		code = limit(RLIMIT_RTPRIO, 0, "RLIMIT_RTPRIO", err);
	if (code == 0)
		code = limit(RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE", err);
	if (code == 0 && policy->files != 0)
		code = limit(RLIMIT_NOFILE, policy->files, "RLIMIT_NOFILE", err);
	if (code == 0 && policy->file_mb != 0)
		code = limit(RLIMIT_FSIZE, policy->file_mb * MIB, "RLIMIT_FSIZE", err);
	/* RLIMIT_DATA and not RLIMIT_AS: a large index that is mapped is not memory in use. */
	if (code == 0 && policy->memory_mb != 0 && !SANITIZED)
		code = limit(RLIMIT_DATA, policy->memory_mb * MIB, "RLIMIT_DATA", err);
	/* It counts all of a user's, so that it means the plugin only where that has its own. */
	if (code == 0 && policy->processes != 0 && policy->uid != 0)
		code = limit(RLIMIT_NPROC, policy->processes, "RLIMIT_NPROC", err);
	/* A write beyond the limit is to fail, not to end the process. */
	if (code == 0 && policy->file_mb != 0)
		signal(SIGXFSZ, SIG_IGN);
	return code;
}

/* ---- the two steps ---------------------------------------------------------------------- */

const char *
sandbox_missing(void)
{
	return landlock_missing(landlock_version());
}

int
sandbox_receive(int fd, struct sandbox_policy *ret, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = SANDBOX_TEXT_MAX};
	char byte = 0;

	do {
		ssize_t got = read(fd, &byte, 1);

		if (got != 1 || buf_append(&buf, &byte, 1) != 0)
			return cairn_error_set(
			    err, CAIRN_EIO, "the kernel did not say what this host may do");
	} while (byte != 0);
	return sandbox_policy_parse((const char *)buf.data, ret, err);
}

static int
enter_landlock(const struct sandbox_policy *policy, struct cairn_error *err)
{
	const char *missing = sandbox_missing();
	int code;

	if (missing != NULL && policy->require)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "node.yaml says `sandbox: require`, and this machine cannot deny %s", missing);
	code = landlock_enter(policy, err);
	if (code == CAIRN_EUNSUPPORTED && !policy->require) {
		log_warning(TOPIC, "%s: files outside its own are NOT denied to this plugin",
		    err == NULL ? "no Landlock" : err->text);
		if (err != NULL)
			*err = (struct cairn_error){0};
		return 0;
	}
	if (code == 0 && missing != NULL)
		log_warning(TOPIC, "not denied to this plugin: %s", missing);
	return code;
}

int
sandbox_enter(const struct sandbox_policy *policy, struct cairn_error *err)
{
	int code = limits(policy, err);

	if (code == 0)
		code = become(policy, err);
	if (code == 0)
		code = drop_capabilities(policy, err);
	if (code == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		code = failed(err, "PR_SET_NO_NEW_PRIVS");
	return code != 0 ? code : enter_landlock(policy, err);
}

static int
send_listener(int to, int fd, struct cairn_error *err)
{
	char byte = 1;
	struct iovec part = {&byte, 1};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof control.bytes};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	return sendmsg(to, &message, MSG_NOSIGNAL) == 1 ? 0 : failed(err, "telling the kernel");
}

int
sandbox_seal(const struct sandbox_policy *policy, int report_fd, struct cairn_error *err)
{
	int listener = -1;
	int code = filter_enter(policy, report_fd >= 0, &listener, err);

	if (code == CAIRN_EUNSUPPORTED && !policy->require) {
		log_warning(TOPIC, "%s: system calls are NOT denied to this plugin",
		    err == NULL ? "no seccomp" : err->text);
		if (err != NULL)
			*err = (struct cairn_error){0};
		code = 0;
	}
	if (listener >= 0) {
		code = send_listener(report_fd, listener, err);
		close(listener);
	}
	if (report_fd >= 0)
		close(report_fd);
	return code;
}
