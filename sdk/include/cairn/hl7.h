/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAIRN_HL7_H
#define CAIRN_HL7_H

/*
 * For connectors that speak HL7 v2 (find_package(Cairn): link cairn::hl7): the encoding rules and
 * acknowledgements of HL7 v2.8 chapter 2, and a server of the Minimal Lower Layer Protocol.
 * plugins/hl7v2 shows the use.  Everything here is called from the plugin's loop.  Since 0.2.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- messages ----------------------------------------------------------------------------- */

/* A part of a message, still escaped; `at` is NULL where there is none. */
struct hl7_span {
	const char *at;
	size_t length;
};

struct hl7 {
	struct hl7_span raw, all; /* as received, which must outlive this; in UTF-8 */
	char field, component, repetition, escape, subcomponent; /* MSH-1, MSH-2 */
	char *arena;                                             /* unescaped texts */
	size_t used, size;
};

/* Why a message is not taken.  severity 'E': it is wrong; 'R': not here or not now; 0: it is taken.
 * `code` is of HL7 table 0357; `text` is for a person and never has a value from the message. */
struct hl7_problem {
	char severity;
	unsigned code;
	const char *segment;
	unsigned sequence, field;
	const char *text;
};

/* Reads the delimiters and makes UTF-8 of the text, as MSH-18 says, or `charset` (table 0211) where
 * that is empty.  hl7_fini() and hl7_acknowledge() may follow whatever the outcome. */
struct hl7_problem hl7_open(struct hl7 *ret, const char *text, size_t length, const char *charset);
void hl7_fini(struct hl7 *m);

/* The next segment of that name (NULL: of any) behind `after`, which is {0} for the first. */
struct hl7_span hl7_segment(const struct hl7 *m, struct hl7_span after, const char *name);
struct hl7_span hl7_field(const struct hl7 *m, struct hl7_span segment, unsigned number);
struct hl7_span hl7_part(struct hl7_span span, char separator, unsigned index); /* from 0 */
/* Component `number` of the first repetition in `field`; its first subcomponent. */
struct hl7_span hl7_component(const struct hl7 *m, struct hl7_span field, unsigned number);
bool hl7_is(struct hl7_span span, const char *word);

/* Unescaped, as long as the message; "" where there is nothing.  Take each part once: what is
 * beyond twice the message's length is "". */
char *hl7_text(struct hl7 *m, struct hl7_span span);
/* Of the identifiers (CX) in `field` the first whose assigning authority (namespace or universal
 * id) is `authority`, or with "" the first; its namespace.  False when there is none. */
bool hl7_identifier(const struct hl7 *m, struct hl7_span field, const char *authority,
    struct hl7_span *ret_id, struct hl7_span *ret_namespace);
/* All of them, that one first: none where it is not there, else how many of `max`. */
struct hl7_id {
	struct hl7_span id, authority,
	    type; /* CX-1, the namespace or else universal id of CX-4, CX-5 */
};
size_t hl7_identifiers(const struct hl7 *m, struct hl7_span field, const char *authority,
    struct hl7_id *ret, size_t max);
/* NM; false when it is no number. */
bool hl7_number(struct hl7 *m, struct hl7_span span, double *ret);
/* Days since 1970 of a time stamp; false without one, for a year alone, and the 30th of February.
 */
bool hl7_day(struct hl7_span span, int32_t *ret_day);

/* A job's key, of the control id (MSH-10) and of what is put: a message that is sent again is put
 * once, and another one that happens to have the same control id is not lost. */
#define HL7_KEY_SIZE 34
void hl7_job_key(const struct hl7 *m, const void *body, size_t length, char ret[HL7_KEY_SIZE]);

/* ---- the Minimal Lower Layer Protocol ------------------------------------------------------- */

struct mllp;
struct mllp_connection;

/* What a manifest says below `config:` for the server's settings, which mllp_open() reads. */
#define MLLP_CONFIG                                                                        \
	"  address: {type: string, default: 127.0.0.1, min: 1, max: 64,\n"                 \
	"    help: 'Numeric address to listen on; 0.0.0.0 or :: for all'}\n"               \
	"  port: {type: integer, default: 2575, min: 1, max: 65535,\n"                     \
	"    help: TCP port to listen on}\n"                                               \
	"  peers: {type: list, default: [], max: 1000,\n"                                  \
	"    help: 'Numeric addresses that may send; empty: this machine only'}\n"         \
	"  connections_max: {type: integer, default: 64, min: 1, max: 4096,\n"             \
	"    help: Connections at once}\n"                                                 \
	"  message_kb: {type: integer, default: 1024, min: 1, max: 4096,\n"                \
	"    help: Largest message (KiB)}\n"                                               \
	"  idle_s: {type: integer, default: 300, min: 1, max: 86400,\n"                    \
	"    help: A connection on which nothing comes for so long is closed (seconds)}\n" \
	"  frame_s: {type: integer, default: 30, min: 1, max: 3600,\n"                     \
	"    help: Time for one message from its first byte to its last (seconds)}\n"

/* And what it says for hl7_open(), hl7_identifier() and hl7_identifiers(). */
#define HL7_CONFIG                                                                                \
	"  authority: {type: string, default: '', max: 200,\n"                                    \
	"    help: 'Assigning authority (PID-3.4) whose numbers are taken; empty: the first "     \
	"number'}\n"                                                                              \
	"  issuer: {type: string, default: '', max: 64,\n"                                        \
	"    help: 'With authority: Issuer of Patient ID that images of the same patients "       \
	"carry'}\n"                                                                               \
	"  link_types: {type: list, default: [MR, PI, NI], max: 20,\n"                            \
	"    help: 'Types (PID-3.5) of further numbers that lead to the same patient from then "  \
	"on'}\n"                                                                                  \
	"  charset: {type: string, default: UNICODE UTF-8,\n"                                     \
	"    choices: [UNICODE UTF-8, ASCII, 8859/1, 8859/2, 8859/5, 8859/7, 8859/9, 8859/15],\n" \
	"    help: Character set of messages without MSH-18}\n"

struct mllp_handler {
	/* Takes a message, which lives until its mllp_answer(), now or later, exactly once.  A
	 * connection has one message at a time here; what was sent behind it waits. */
	void (*message)(
	    void *arg, struct mllp_connection *connection, const char *text, size_t length);
	void (*closed)(void *arg); /* after mllp_close(), when every answer was given */
	void *arg;
};

int mllp_open(struct mllp **ret, struct cairn *cairn, const struct mllp_handler *handler,
    struct cairn_error *err);
/* Length 0 for no answer. */
void mllp_answer(struct mllp_connection *connection, const char *text, size_t length);
/* Closes connections that rest now, and others after their answer. */
void mllp_close(struct mllp *mllp);

/* Answers with ACK: MSA, and ERR for a problem; in original mode or as MSH-15 and MSH-16 say.  In
 * enhanced mode the sender gets the accept acknowledgement (CA, CE, CR) or, where it wants none of
 * those, the application's (AA, AE, AR): at most one answer for a message. */
void hl7_acknowledge(
    struct mllp_connection *connection, const struct hl7 *m, struct hl7_problem problem);
size_t hl7_ack(const struct hl7 *m, struct hl7_problem problem, char *ret, size_t size);

#ifdef __cplusplus
}
#endif

#endif
