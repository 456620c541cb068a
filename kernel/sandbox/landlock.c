/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

/* The kernel's interface (linux/landlock.h of 6.15), whose numbers are the same everywhere. */
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446

struct ruleset {
	uint64_t files, net, scoped;
};

struct __attribute__((packed)) beneath {
	uint64_t access;
	int32_t parent;
};

struct port {
	uint64_t access, port;
};

#define VERSION_QUERY 1u
#define RULE_BENEATH 1

#define FS(bit) (UINT64_C(1) << (bit))
#define FS_EXECUTE FS(0)
#define FS_WRITE_FILE FS(1)
#define FS_READ_FILE FS(2)
#define FS_READ_DIR FS(3)
#define FS_MAKE_CHAR FS(6)
#define FS_MAKE_SOCK FS(9)
#define FS_MAKE_FIFO FS(10)
#define FS_MAKE_BLOCK FS(11)
#define FS_MAKE_SYM FS(12)
#define FS_REFER FS(13)
#define FS_TRUNCATE FS(14)
#define FS_IOCTL_DEV FS(15)
#define FS_VERSION_1 (FS(13) - 1)

#define NET_BIND FS(0)
#define NET_CONNECT FS(1)
#define SCOPE_ABSTRACT FS(0)
#define SCOPE_SIGNAL FS(1)

int
landlock_version(void)
{
	long version = syscall(CREATE_RULESET, NULL, 0, VERSION_QUERY);

	return version < 0 ? 0 : (int)version;
}

const char *
landlock_missing(int version)
{
	if (version == 0)
		return "files outside its own (this kernel has no Landlock)";
	if (version < 3)
		return "truncating files outside its own, TCP by Landlock, signals to others (this "
		       "kernel's Landlock is old)";
	if (version < 4)
		return "TCP by Landlock, signals to others (this kernel's Landlock is old)";
	if (version < 6)
		return "signals to others by Landlock (this kernel's Landlock is old)";
	return NULL;
}

/* What the version handles at all: only that can be denied. */
static struct ruleset
handled(int version, const struct sandbox_policy *policy)
{
	struct ruleset ruleset = {.files = FS_VERSION_1};

	if (version >= 2)
		ruleset.files |= FS_REFER;
	if (version >= 3)
		ruleset.files |= FS_TRUNCATE;
	if (version >= 4)
		ruleset.net = (policy->listen ? 0 : NET_BIND) | (policy->connect ? 0 : NET_CONNECT);
	if (version >= 5)
		ruleset.files |= FS_IOCTL_DEV;
	if (version >= 6)
		ruleset.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return ruleset;
}

static size_t
ruleset_size(int version)
{
	return version < 4 ? offsetof(struct ruleset, net)
	    : version < 6  ? offsetof(struct ruleset, scoped)
			   : sizeof(struct ruleset);
}

/* No devices, sockets or fifos: nothing in here needs them made. */
static uint64_t
rights(enum sandbox_access access, bool is_dir)
{
	uint64_t read = FS_READ_FILE | FS_READ_DIR;
	uint64_t all = FS_VERSION_1 | FS_REFER | FS_TRUNCATE;
	uint64_t chosen = access == SANDBOX_READ ? read
	    : access == SANDBOX_RUN              ? read | FS_EXECUTE
						 : all &
		~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM |
		    FS_EXECUTE);

	if (!is_dir)
		chosen &= FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE;
	return chosen;
}

/* `fd` is closed at exec, and deliberately not before: it keeps the inode of /proc/self, to which
 * the rule is tied, from being made anew. */
static int
add_path(int ruleset_fd, const struct ruleset *ruleset, const struct sandbox_path *entry,
    struct cairn_error *err)
{
	int fd = open(entry->path, O_PATH | O_CLOEXEC);
	struct beneath rule = {.parent = fd};
	struct stat st;
	int code = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
		    ? 0
		    : cairn_error_set(err, CAIRN_EIO, "cannot open %s for the sandbox: %s",
			  entry->path, strerror(errno));
	if (fstat(fd, &st) == 0)
		rule.access = rights(entry->access, S_ISDIR(st.st_mode)) & ruleset->files;
	if (syscall(ADD_RULE, ruleset_fd, RULE_BENEATH, &rule, 0) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot add %s to the sandbox: %s",
		    entry->path, strerror(errno));
	if (strcmp(entry->path, "/proc/self") != 0)
		close(fd);
	return code;
}

int
landlock_enter(const struct sandbox_policy *policy, struct cairn_error *err)
{
	int version = landlock_version();
	struct ruleset ruleset = handled(version, policy);
	FD_AUTO fd = -1;

	if (version == 0)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED, "this kernel has no Landlock");
	fd = (int)syscall(CREATE_RULESET, &ruleset, ruleset_size(version), 0);
	if (fd < 0)
		return cairn_error_set(
		    err, CAIRN_EUNSUPPORTED, "Landlock cannot be used: %s", strerror(errno));
	for (size_t i = 0; i < policy->path_count; i++) {
		int code = policy->paths[i].access > SANDBOX_WRITE
		    ? 0
		    : add_path(fd, &ruleset, &policy->paths[i], err);

		if (code != 0)
			return code;
	}
	if (syscall(RESTRICT_SELF, fd, 0) != 0)
		return cairn_error_set(
		    err, CAIRN_EUNSUPPORTED, "Landlock cannot be entered: %s", strerror(errno));
	return 0;
}
