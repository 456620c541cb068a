/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/note.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>

#include "ledger/base64.h"

#define PUBLIC_KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define DASH "\xe2\x80\x94 " /* em dash, space: how each signature line begins */
#define LINE_MAX_BYTES 512

int
note_check_origin(const char *origin, struct cairn_error *err)
{
	size_t length = origin == NULL ? 0 : strnlen(origin, NOTE_ORIGIN_MAX + 1);

	if (length == 0 || length > NOTE_ORIGIN_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the node's id must have 1 to %d characters to sign checkpoints",
		    NOTE_ORIGIN_MAX);
	for (size_t i = 0; i < length; i++)
		if (origin[i] <= ' ' || origin[i] > '~' || origin[i] == '+')
			return cairn_error_set(err, CAIRN_EINVAL,
			    "the node's id may hold printable ASCII without spaces and '+' only "
			    "(character %zu)",
			    i + 1);
	return 0;
}

/* ---- signing ---------------------------------------------------------------------------- */

static int
key_hash(const char *name, EVP_PKEY *key, uint8_t ret[4])
{
	uint8_t input[NOTE_ORIGIN_MAX + 2 + PUBLIC_KEY_BYTES];
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t name_length = strlen(name), key_length = PUBLIC_KEY_BYTES;

	memcpy(input, name, name_length);
	input[name_length] = '\n';
	input[name_length + 1] = 1;
	if (EVP_PKEY_get_raw_public_key(key, input + name_length + 2, &key_length) != 1 ||
	    key_length != PUBLIC_KEY_BYTES ||
	    EVP_Q_digest(
		NULL, "SHA256", NULL, input, name_length + 2 + PUBLIC_KEY_BYTES, digest, NULL) != 1)
		return CAIRN_EINVAL;
	memcpy(ret, digest, 4);
	return 0;
}

static int
sign(const uint8_t *text, size_t length, EVP_PKEY *key, uint8_t ret[SIGNATURE_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t got = SIGNATURE_BYTES;
	int good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, ret, &got, text, length) == 1 && got == SIGNATURE_BYTES;

	EVP_MD_CTX_free(ctx);
	return good ? 0 : CAIRN_EINTERNAL;
}

int
note_sign(struct buf *ret, const char *origin, uint64_t size, const uint8_t root[NOTE_HASH],
    EVP_PKEY *key, struct cairn_error *err)
{
	BUF_AUTO note = {.max = NOTE_MAX};
	uint8_t blob[4 + SIGNATURE_BYTES];
	char text[BASE64_TEXT(sizeof blob)];
	int code = note_check_origin(origin, err);

	if (code != 0)
		return code;
	base64_encode(root, NOTE_HASH, text);
	code = buf_append_format(&note, "%s\n%llu\n%s\n", origin, (unsigned long long)size, text);
	if (code == 0)
		code = key_hash(origin, key, blob);
	if (code == 0)
		code = sign(note.data, note.length, key, blob + 4);
	if (code != 0)
		return cairn_error_set(
		    err, code, "could not sign a checkpoint (is it an Ed25519 key?)");
	base64_encode(blob, sizeof blob, text);
	code = buf_append_format(&note, "\n" DASH "%s %s\n", origin, text);
	if (code == 0)
		code = buf_append(ret, note.data, note.length);
	return code == 0 ? 0 : cairn_error_set(err, code, "no room for a checkpoint");
}

/* ---- parsing ---------------------------------------------------------------------------- */

struct cursor {
	const char *at;
	const char *end;
};

/* The next line without its newline, as a string; false when there is none or it is too long. */
static bool
next_line(struct cursor *cursor, char ret[LINE_MAX_BYTES])
{
	const char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
	size_t length;

	if (newline == NULL)
		return false;
	length = (size_t)(newline - cursor->at);
	if (length >= LINE_MAX_BYTES || memchr(cursor->at, 0, length) != NULL)
		return false;
	memcpy(ret, cursor->at, length);
	ret[length] = 0;
	cursor->at = newline + 1;
	return true;
}

static bool
parse_origin(const char *line, char ret[NOTE_ORIGIN_MAX + 1])
{
	if (note_check_origin(line, NULL) != 0)
		return false;
	memcpy(ret, line, strlen(line) + 1);
	return true;
}

/* Decimal without leading zeros or sign. */
static bool
parse_size(const char *line, uint64_t *ret)
{
	uint64_t size = 0;

	if (line[0] == 0 || (line[0] == '0' && line[1] != 0))
		return false;
	for (; *line != 0; line++)
		if (*line < '0' || *line > '9' || __builtin_mul_overflow(size, 10u, &size) ||
		    __builtin_add_overflow(size, (uint64_t)(*line - '0'), &size))
			return false;
	*ret = size;
	return true;
}

static bool
parse_signature(char *line, struct note_signature *ret)
{
	uint8_t blob[4 + SIGNATURE_BYTES];
	char *name = line + strlen(DASH), *space;

	if (strncmp(line, DASH, strlen(DASH)) != 0)
		return false;
	space = strchr(name, ' ');
	if (space == NULL)
		return false;
	*space = 0;
	if (!parse_origin(name, ret->name) || base64_decode(space + 1, blob, sizeof blob) != 0)
		return false;
	memcpy(ret->key_hash, blob, 4);
	memcpy(ret->bytes, blob + 4, SIGNATURE_BYTES);
	return true;
}

static const char *
parse_body(struct note *note, struct cursor *cursor)
{
	char line[LINE_MAX_BYTES];

	if (!next_line(cursor, line) || !parse_origin(line, note->origin))
		return "its first line is no origin";
	if (!next_line(cursor, line) || !parse_size(line, &note->size))
		return "its second line is no size";
	if (!next_line(cursor, line) || base64_decode(line, note->root, NOTE_HASH) != 0)
		return "its third line is no root hash";
	return NULL;
}

static const char *
parse_signatures(struct note *note, struct cursor *cursor)
{
	char line[LINE_MAX_BYTES];

	if (!next_line(cursor, line) || line[0] != 0)
		return "no empty line follows its text";
	while (cursor->at < cursor->end) {
		if (note->signature_count == NOTE_SIGNATURES_MAX)
			return "it has too many signatures";
		if (!next_line(cursor, line) ||
		    !parse_signature(line, &note->signatures[note->signature_count]))
			return "a signature line is damaged";
		note->signature_count++;
	}
	return note->signature_count == 0 ? "it is not signed" : NULL;
}

int
note_parse(struct note *ret, const void *bytes, size_t length, struct cairn_error *err)
{
	struct cursor cursor = {bytes, (const char *)bytes + length};
	struct note note = {0};
	const char *wrong;

	if (length == 0 || length > NOTE_MAX)
		return cairn_error_set(err, CAIRN_ECORRUPT, "the checkpoint has %zu bytes", length);
	wrong = parse_body(&note, &cursor);
	note.text_length = (size_t)(cursor.at - (const char *)bytes);
	if (wrong == NULL)
		wrong = parse_signatures(&note, &cursor);
	if (wrong != NULL)
		return cairn_error_set(err, CAIRN_ECORRUPT, "the checkpoint is damaged: %s", wrong);
	*ret = note;
	return 0;
}

/* ---- verifying -------------------------------------------------------------------------- */

static bool
signature_good(
    const uint8_t signature[SIGNATURE_BYTES], const void *text, size_t length, EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, signature, SIGNATURE_BYTES, text, length) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

int
note_verify(const struct note *note, const void *bytes, EVP_PKEY *key, struct cairn_error *err)
{
	uint8_t hash[4];

	if (key_hash(note->origin, key, hash) != 0)
		return cairn_error_set(err, CAIRN_EINVAL, "checkpoints need an Ed25519 key");
	for (size_t i = 0; i < note->signature_count; i++) {
		const struct note_signature *signature = &note->signatures[i];

		if (strcmp(signature->name, note->origin) != 0 ||
		    memcmp(signature->key_hash, hash, sizeof hash) != 0)
			continue;
		if (signature_good(signature->bytes, bytes, note->text_length, key))
			return 0;
		return cairn_error_set(
		    err, CAIRN_ECORRUPT, "the signature of the checkpoint does not fit its text");
	}
	return cairn_error_set(
	    err, CAIRN_ECORRUPT, "the checkpoint is not signed by this node's key");
}
