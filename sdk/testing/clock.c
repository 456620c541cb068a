/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time of a test.  This program's clock_gettime() takes the place of the C library's for all
 * that asks through the dynamic linker, libuv above all.  A function that the linker chooses has no
 * argument to carry state in, hence the state of the file; worker threads read it too.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "testing/private.h"

#define NS_PER_S 1000000000
#define NS_PER_MS 1000000

enum { CLOCK_IS_REAL, CLOCK_STANDS, CLOCK_RUNS };

static struct {
	atomic_int mode;
	_Atomic int64_t stands_ns; /* what it shows while it stands */
	_Atomic int64_t ahead_ns;  /* of the real one while it runs */
	_Atomic int64_t wall_ns;   /* the wall clock, less the monotonic one */
} testing_clock;

static int64_t
real_ns(clockid_t id)
{
	struct timespec now = {0};

	syscall(SYS_clock_gettime, id, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t
shown_ns(void)
{
	return atomic_load(&testing_clock.mode) == CLOCK_STANDS
	    ? atomic_load(&testing_clock.stands_ns)
	    : real_ns(CLOCK_MONOTONIC) + atomic_load(&testing_clock.ahead_ns);
}

int clock_gettime(clockid_t id, struct timespec *ret);

__attribute__((visibility("default"))) int
clock_gettime(clockid_t id, struct timespec *ret)
{
	int64_t ns;

	if (atomic_load(&testing_clock.mode) == CLOCK_IS_REAL)
		return (int)syscall(SYS_clock_gettime, id, ret);
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ns = shown_ns() + atomic_load(&testing_clock.wall_ns);
	else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME)
		ns = shown_ns();
	else
		return (int)syscall(SYS_clock_gettime, id, ret);
	ret->tv_sec = (time_t)(ns / NS_PER_S);
	ret->tv_nsec = (long)(ns % NS_PER_S);
	return 0;
}

void
testing_clock_start(void)
{
	int64_t now = real_ns(CLOCK_MONOTONIC);

	atomic_store(&testing_clock.stands_ns, now);
	atomic_store(&testing_clock.ahead_ns, 0);
	atomic_store(&testing_clock.wall_ns, real_ns(CLOCK_REALTIME) - now);
	atomic_store(&testing_clock.mode, CLOCK_STANDS);
}

void
testing_clock_end(void)
{
	atomic_store(&testing_clock.mode, CLOCK_IS_REAL);
}

/* The time never goes back: it runs on from where it stood. */
void
testing_clock_run(bool real)
{
	int64_t now = shown_ns();

	atomic_store(&testing_clock.stands_ns, now);
	atomic_store(&testing_clock.ahead_ns, now - real_ns(CLOCK_MONOTONIC));
	atomic_store(&testing_clock.mode, real ? CLOCK_RUNS : CLOCK_STANDS);
}

void
testing_clock_move(unsigned ms)
{
	atomic_fetch_add(&testing_clock.stands_ns, (int64_t)ms * NS_PER_MS);
	atomic_fetch_add(&testing_clock.ahead_ns, (int64_t)ms * NS_PER_MS);
}

uint64_t
testing_clock_real_ms(void)
{
	return (uint64_t)(real_ns(CLOCK_MONOTONIC) / NS_PER_MS);
}
