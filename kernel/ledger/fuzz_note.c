/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a checkpoint.  What is accepted has one spelling: written anew it is the same. */
#include "ledger/note.h"

#include <string.h>

#include <openssl/evp.h>

#include "ledger/base64.h"

static int
write_again(const struct note *note, struct buf *ret)
{
	char text[BASE64_TEXT(68)];
	uint8_t blob[68];
	int code;

	base64_encode(note->root, NOTE_HASH, text);
	code = buf_append_format(
	    ret, "%s\n%llu\n%s\n\n", note->origin, (unsigned long long)note->size, text);
	for (size_t i = 0; code == 0 && i < note->signature_count; i++) {
		memcpy(blob, note->signatures[i].key_hash, 4);
		memcpy(blob + 4, note->signatures[i].bytes, 64);
		base64_encode(blob, sizeof blob, text);
		code =
		    buf_append_format(ret, "\xe2\x80\x94 %s %s\n", note->signatures[i].name, text);
	}
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t public[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5,
	    0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23,
	    0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
	BUF_AUTO again = {.max = 2 * NOTE_MAX};
	EVP_PKEY *key;
	struct note note;

	if (note_parse(&note, data, size, NULL) != 0)
		return 0;
	if (write_again(&note, &again) != 0 || again.length != size ||
	    memcmp(again.data, data, size) != 0)
		__builtin_trap();
	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, sizeof public);
	note_verify(&note, data, key, NULL);
	EVP_PKEY_free(key);
	return 0;
}
