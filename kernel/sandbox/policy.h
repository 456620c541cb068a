/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_POLICY_H
#define SANDBOX_POLICY_H

/*
 * What one host process may do, as the kernel decided it.  It travels to cairn-host as text in an
 * argument, where it is parsed before anything of the plugin is loaded; what is not in it is not
 * reachable.  Nothing that the plugin says later widens it.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#define SANDBOX_PATHS_MAX 192
#define SANDBOX_TEXT_MAX 65536
#define SANDBOX_PATH_MAX 4096

/* The argument of a host that is not confined: only the supervisor's own tests use it. */
#define SANDBOX_UNCONFINED "unconfined"

enum sandbox_access {
	SANDBOX_READ,  /* and list */
	SANDBOX_RUN,   /* and execute */
	SANDBOX_WRITE, /* and make, rename, remove */
	SANDBOX_LEND,  /* read what the kernel opens for it, file by file: watch.h */
	SANDBOX_KEEP,  /* never lent, though within what is */
};

struct sandbox_path {
	char *path; /* absolute; one that does not exist is left out */
	enum sandbox_access access;
};

struct sandbox_policy {
	bool require;       /* do not run with less than all of it */
	bool listen;        /* TCP: may accept */
	bool connect;       /* TCP: may connect, and ask name servers */
	bool exec;          /* may start programs */
	bool interpreter;   /* is itself a program that dials the kernel's socket */
	unsigned uid, gid;  /* 0: those of the node */
	unsigned memory_mb; /* 0: no limit */
	unsigned file_mb;   /* of one file; 0: no limit */
	unsigned files;     /* open descriptors; 0: the node's limit */
	unsigned processes; /* threads included, where it has an own uid */
	struct sandbox_path paths[SANDBOX_PATHS_MAX];
	size_t path_count;
};

void sandbox_policy_fini(struct sandbox_policy *policy);
int sandbox_policy_add(struct sandbox_policy *policy, const char *path, enum sandbox_access access,
    struct cairn_error *err);
/* Takes one such entry out again; harmless if there is none. */
void sandbox_policy_drop(
    struct sandbox_policy *policy, const char *path, enum sandbox_access access);
/* The programs' libraries and the few system files that every process reads. */
int sandbox_policy_add_system(struct sandbox_policy *policy, struct cairn_error *err);

/* malloc'ed text. */
int sandbox_policy_text(
    const struct sandbox_policy *policy, char **ret_text, struct cairn_error *err);
/* Strict: an unknown word is an error, for a misread policy must not confine less. */
int sandbox_policy_parse(const char *text, struct sandbox_policy *ret, struct cairn_error *err);

/* Whether an absolute path without "." and ".." lies in what may be opened so.  For reports: what
 * is enforced is Landlock's judgement. */
bool sandbox_policy_allows(const struct sandbox_policy *policy, const char *path, bool writing);
/* Whether the kernel may open it for the host. */
bool sandbox_policy_lends(const struct sandbox_policy *policy, const char *path);

#endif
