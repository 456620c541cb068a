/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_TSAN_H
#define RUNTIME_TSAN_H

/*
 * The distribution's NNG is not built for ThreadSanitizer, which therefore cannot see the atomic
 * count by which NNG's reaper knows that it is the last to use a dialer's mutex.  Only that
 * destruction is hidden; what happens in our callbacks is not.
 */

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RUNTIME_TSAN 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define RUNTIME_TSAN 1
#endif

#ifdef RUNTIME_TSAN
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return "race:pthread_mutex_destroy\n";
}
#endif

#endif
