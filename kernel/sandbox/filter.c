/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/calls.h"

#define PROGRAM_MAX 2048
#define X32_BIT 0x40000000u
#define FASTOPEN 0x20000000u

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "the sandbox has no list of system calls for this machine"
#endif

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short length; /* PROGRAM_MAX when it did not fit */
	uint32_t refuse;
};

/* Calls that change folders: where a path and the descriptor that it begins at are (-1: none). */
static const struct {
	long number;
	int dir, path;
	const char *verb;
} changes[] = {
    {SYS_unlinkat, 0, 1, "remove"},
    {SYS_mkdirat, 0, 1, "make"},
    {SYS_renameat2, 0, 1, "rename"},
    {SYS_renameat2, 2, 3, "rename"},
    {SYS_linkat, 2, 3, "make"},
    {SYS_symlinkat, 1, 2, "make"},
    {SYS_truncate, -1, 0, "shorten"},
#ifdef SYS_renameat
    {SYS_renameat, 0, 1, "rename"},
    {SYS_renameat, 2, 3, "rename"},
#endif
#ifdef SYS_unlink
    {SYS_unlink, -1, 0, "remove"},
    {SYS_rmdir, -1, 0, "remove"},
    {SYS_mkdir, -1, 0, "make"},
    {SYS_rename, -1, 0, "rename"},
    {SYS_rename, -1, 1, "rename"},
    {SYS_link, -1, 1, "make"},
    {SYS_symlink, -1, 1, "make"},
#endif
};
#define CHANGES (sizeof changes / sizeof changes[0])

/* What must hold of an argument's low half, which is all that an int argument has. */
struct test {
	unsigned arg;
	uint32_t mask, value;
};

static void
emit(struct program *program, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (program->length < PROGRAM_MAX)
		program->code[program->length++] = (struct sock_filter){code, jt, jf, k};
}

static void
load(struct program *program, size_t offset)
{
	emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
load_number(struct program *program)
{
	load(program, offsetof(struct seccomp_data, nr));
}

static void
answer(struct program *program, long number, uint32_t action)
{
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
	emit(program, BPF_RET | BPF_K, action, 0, 0);
}

static void
allow(struct program *program, long number)
{
	answer(program, number, SECCOMP_RET_ALLOW);
}

/* Three instructions for each test, of which a failing one jumps behind the answer, where the
 * number is loaded anew for the rules that follow. */
static void
allow_if(struct program *program, long number, const struct test *tests, size_t count)
{
	size_t body = 3 * count + 2;

	emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, (uint8_t)body);
	for (size_t i = 0; i < count; i++) {
		size_t left = 3 * (count - i - 1) + 1;

		load(program, offsetof(struct seccomp_data, args) + 8 * tests[i].arg);
		emit(program, BPF_ALU | BPF_AND | BPF_K, tests[i].mask, 0, 0);
		emit(program, BPF_JMP | BPF_JEQ | BPF_K, tests[i].value, 0, (uint8_t)left);
	}
	emit(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	load_number(program);
}

static void
allow_value(struct program *program, long number, unsigned arg, uint32_t mask, uint32_t value)
{
	allow_if(program, number, &(struct test){arg, mask, value}, 1);
}

/* ---- what the policy decides ------------------------------------------------------------ */

static void
allow_socket(struct program *program, uint32_t domain, uint32_t type)
{
	const struct test tests[] = {{0, UINT32_MAX, domain}, {1, 0xff, type}};

	allow_if(program, SYS_socket, tests, 2);
}

static void
network(struct program *program, const struct sandbox_policy *policy)
{
	static const uint32_t inet[] = {AF_INET, AF_INET6};
	const struct test pair[] = {{0, UINT32_MAX, AF_UNIX}, {1, 0xff, SOCK_STREAM}};
	uint32_t fastopen = policy->connect ? 0 : FASTOPEN;

	for (size_t i = 0; i < 2 && (policy->listen || policy->connect); i++) {
		allow_socket(program, inet[i], SOCK_STREAM);
		if (policy->connect)
			allow_socket(program, inet[i], SOCK_DGRAM); /* name servers */
	}
	if (policy->connect)
		allow_socket(program, AF_NETLINK, SOCK_RAW); /* getaddrinfo() looks at addresses */
	if (policy->interpreter)
		allow_socket(program, AF_UNIX, SOCK_STREAM);
	if (policy->connect || policy->interpreter)
		allow(program, SYS_connect);
	if (policy->listen || policy->connect)
		allow(program, SYS_bind);
	if (policy->listen) {
		allow(program, SYS_listen);
		allow(program, SYS_accept4);
#ifdef SYS_accept
		allow(program, SYS_accept);
#endif
	}
	allow_if(program, SYS_socketpair, pair, 2);
	allow_value(program, SYS_sendto, 3, fastopen, 0);
	allow_value(program, SYS_sendmsg, 2, fastopen, 0);
	allow_value(program, SYS_sendmmsg, 3, fastopen, 0);
}

/* glibc falls back from clone3(), whose flags no filter can see, to clone(). */
static void
processes(struct program *program, const struct sandbox_policy *policy)
{
	const uint32_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	/* Taken off is what it must not be; what a child puts on can only end it. */
	const struct test die_with_parent[] = {
	    {0, UINT32_MAX, PR_SET_PDEATHSIG}, {1, UINT32_MAX, SIGKILL}};
	const struct test itself[] = {{0, UINT32_MAX, PRIO_PROCESS}, {1, UINT32_MAX, 0}};
	uint32_t self = (uint32_t)getpid();

	answer(program, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
	if (policy->exec) {
		allow_if(program, SYS_prctl, die_with_parent, 2);
		allow_value(program, SYS_clone, 0, spaces, 0);
#ifdef SYS_fork
		allow(program, SYS_fork);
		allow(program, SYS_vfork);
#endif
		allow(program, SYS_kill); /* Landlock and the uid say whom */
		allow(program, SYS_tgkill);
		allow(program, SYS_setpgid);
	}
	if (policy->exec || policy->interpreter)
		allow(program, SYS_execve);
	/* A thread may make itself less urgent; anybody else, such as the kernel, may be meant by a
	 * number. */
	allow_if(program, SYS_setpriority, itself, 2);
	allow_value(program, SYS_clone, 0, CLONE_THREAD | spaces, CLONE_THREAD);
	allow_value(program, SYS_kill, 0, UINT32_MAX, self);
	allow_value(program, SYS_tgkill, 0, UINT32_MAX, self);
	allow_value(program, SYS_prlimit64, 0, UINT32_MAX, 0);
	allow_value(program, SYS_prlimit64, 0, UINT32_MAX, self);
}

/* Without PR_SET_PDEATHSIG, by which a host dies with the kernel, and without what widens. */
static void
controls(struct program *program)
{
	static const uint32_t prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE,
	    PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_PDEATHSIG,
	    0x53564d41 /* PR_SET_VMA: names of mappings */};
	static const uint32_t ioctls[] = {
	    FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ, TIOCOUTQ};

	for (size_t i = 0; i < sizeof prctls / sizeof prctls[0]; i++)
		allow_value(program, SYS_prctl, 0, UINT32_MAX, prctls[i]);
	for (size_t i = 0; i < sizeof ioctls / sizeof ioctls[0]; i++)
		allow_value(program, SYS_ioctl, 1, UINT32_MAX, ioctls[i]);
}

static void
opens(struct program *program, bool listen)
{
	uint32_t action = listen ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;

	answer(program, SYS_openat, action);
#ifdef SYS_open
	answer(program, SYS_open, action);
	answer(program, SYS_creat, action);
#endif
#ifdef SYS_openat2
	answer(program, SYS_openat2, SECCOMP_RET_ERRNO | ENOSYS);
#endif
}

static void
build(struct program *program, const struct sandbox_policy *policy, bool listen)
{
	program->length = 0;
	program->refuse = listen ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | EPERM;
	load(program, offsetof(struct seccomp_data, arch));
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	emit(program, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	load_number(program);
	emit(program, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	emit(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
	for (size_t i = 0; listen && i < CHANGES; i++)
		answer(program, changes[i].number, SECCOMP_RET_USER_NOTIF);
	for (size_t i = 0; i < calls_allowed_count; i++)
		allow(program, calls_allowed[i]);
	opens(program, listen);
	network(program, policy);
	processes(program, policy);
	controls(program);
	emit(program, BPF_RET | BPF_K, program->refuse, 0, 0);
}

int
filter_enter(const struct sandbox_policy *policy, bool listen, int *ret_fd, struct cairn_error *err)
{
	struct program program;
	struct sock_fprog prog = {.filter = program.code};
	unsigned flags = SECCOMP_FILTER_FLAG_TSYNC;
	long rv;

	build(&program, policy, listen);
	if (program.length == PROGRAM_MAX)
		return cairn_error_set(err, CAIRN_EINTERNAL, "the system call filter is too long");
	prog.len = program.length;
	if (listen)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	rv = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (rv < 0 || (!listen && rv > 0))
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "the system call filter cannot be entered: %s",
		    rv < 0 ? strerror(errno) : "a thread has one of its own");
	if (listen)
		*ret_fd = (int)rv;
	return 0;
}

/* ---- reading a refused call ------------------------------------------------------------- */

bool
filter_is_open(int number, const unsigned long long args[6], struct filter_open *ret)
{
	uint64_t flags = 0;

	if (number == SYS_openat) {
		*ret = (struct filter_open){(int)args[0], args[1], false};
		flags = args[2];
#ifdef SYS_open
	} else if (number == SYS_open) {
		*ret = (struct filter_open){AT_FDCWD, args[0], false};
		flags = args[1];
	} else if (number == SYS_creat) {
		*ret = (struct filter_open){AT_FDCWD, args[0], false};
		flags = O_WRONLY | O_CREAT;
#endif
	} else {
		return false;
	}
	ret->writing = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
	return true;
}

size_t
filter_changes(int number, const unsigned long long args[6],
    struct filter_open ret[FILTER_PATHS_MAX], const char **ret_verb)
{
	size_t count = 0;

	for (size_t i = 0; i < CHANGES && count < FILTER_PATHS_MAX; i++) {
		if (changes[i].number != number)
			continue;
		ret[count].dir = changes[i].dir < 0 ? AT_FDCWD : (int)args[changes[i].dir];
		ret[count].path = args[changes[i].path];
		ret[count++].writing = true;
		*ret_verb = changes[i].verb;
	}
	return count;
}
