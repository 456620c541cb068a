/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lua/host.h"

static const struct {
	const char *name;
	int code;
} codes[] = {
    {"EINVAL", CAIRN_EINVAL},
    {"ENOMEM", CAIRN_ENOMEM},
    {"EIO", CAIRN_EIO},
    {"ENOTFOUND", CAIRN_ENOTFOUND},
    {"EEXIST", CAIRN_EEXIST},
    {"EDENIED", CAIRN_EDENIED},
    {"ETIMEOUT", CAIRN_ETIMEOUT},
    {"ECANCELLED", CAIRN_ECANCELLED},
    {"EUNAVAILABLE", CAIRN_EUNAVAILABLE},
    {"ELIMIT", CAIRN_ELIMIT},
    {"ECORRUPT", CAIRN_ECORRUPT},
    {"EUNSUPPORTED", CAIRN_EUNSUPPORTED},
    {"EAGAIN", CAIRN_EAGAIN},
    {"EPROTO", CAIRN_EPROTO},
    {"EINTERNAL", CAIRN_EINTERNAL},
    {"EFORBIDDEN", CAIRN_EFORBIDDEN},
};

int
code_find(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof codes / sizeof *codes; i++) {
		if (strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	}
	return CAIRN_EINTERNAL;
}

const char *
code_name(int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (codes[i].code == code)
			return codes[i].name;
	}
	return "EINTERNAL";
}
