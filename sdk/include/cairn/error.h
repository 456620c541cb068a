/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAIRN_ERROR_H
#define CAIRN_ERROR_H

/*
 * Errors.  A function that can fail returns 0 or one of the negative codes below; the same codes
 * travel on the wire.  Where words help a person, its last parameter is a `struct cairn_error *`,
 * which may be NULL: the origin sets it once, and callers put context in front on the way up.
 *
 * Codes are never renumbered; new ones are added at the end.  Since 0.1.
 */

#ifdef __cplusplus
extern "C" {
#endif

enum cairn_code {
	CAIRN_OK = 0,
	CAIRN_EINVAL = -1,       /* the input or the request is wrong; asking again will not help */
	CAIRN_ENOMEM = -2,       /* an allocation failed */
	CAIRN_EIO = -3,          /* the operating system failed a read, a write or a sync */
	CAIRN_ENOTFOUND = -4,    /* no such thing */
	CAIRN_EEXIST = -5,       /* it is there already */
	CAIRN_EDENIED = -6,      /* the site's policy said no */
	CAIRN_ETIMEOUT = -7,     /* the deadline passed */
	CAIRN_ECANCELLED = -8,   /* the caller withdrew the request, or we are stopping */
	CAIRN_EUNAVAILABLE = -9, /* nobody who could answer is running */
	CAIRN_ELIMIT = -10,      /* a stated maximum was reached */
	CAIRN_ECORRUPT = -11,    /* stored or received bytes fail their check */
	CAIRN_EUNSUPPORTED = -12, /* understood, but this build or this site cannot do it */
	CAIRN_EAGAIN = -13,       /* more input is needed, or try again later */
	CAIRN_EPROTO = -14,       /* the peer broke the protocol */
	CAIRN_EINTERNAL = -15,    /* our own mistake: please report it */
	CAIRN_EFORBIDDEN = -16,   /* the capability was not granted to this plugin */
};

#define CAIRN_ERROR_TEXT_MAX 512

#pragma GCC visibility push(default)

/* Copyable; needs no clean-up.  `code` is 0 when nothing has been set. */
struct cairn_error {
	int code;
	char text[CAIRN_ERROR_TEXT_MAX];
};

/* Sets `err` (when not NULL) and returns `code`, so that failing is one statement:
 * `return cairn_error_set(err, CAIRN_EINVAL, "port %d is out of range", port);`
 * Text that does not fit is cut.  Thread-safe for distinct `err`. */
int cairn_error_set(struct cairn_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of what `err` says.  Returns err->code (or `code` when err is NULL). */
int cairn_error_prefix(struct cairn_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A short lower-case phrase for a code ("not found"); never NULL. */
const char *cairn_code_text(int code);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
