/* SPDX-License-Identifier: Apache-2.0 */
#include "link/issuers.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* ---- the site's table ------------------------------------------------------------------- */

static size_t
alias_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool
is_alias(const char *entry, const char *issuer)
{
	size_t length = alias_length(entry);

	return strlen(issuer) == length && strncasecmp(entry, issuer, length) == 0;
}

static const char *
canonical_of(const char *entry)
{
	return entry + alias_length(entry) + 1;
}

static int
check_entry(char *const *table, size_t index, struct cairn_error *err)
{
	const char *entry = table[index];
	size_t length = alias_length(entry);

	if (entry[length] == 0 || entry[length + 1] == 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "issuers: '%.100s' is no ALIAS=CANONICAL, e.g. 1.2.276.0.76.4.17=ST-ANNA",
		    entry);
	if (length > ISSUER_MAX || strlen(canonical_of(entry)) > ISSUER_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "issuers: a name in entry %zu is longer than %d bytes", index + 1, ISSUER_MAX);
	for (size_t i = 0; table[i] != NULL; i++) {
		const char *other = canonical_of(table[i]);

		if (i < index && alias_length(table[i]) == length &&
		    strncasecmp(table[i], entry, length) == 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "issuers: the alias '%.*s' stands twice", (int)length, entry);
		if (i != index && strlen(other) == length &&
		    strncasecmp(other, entry, length) == 0 &&
		    strcasecmp(canonical_of(entry), other) != 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "issuers: '%.*s' is an alias of '%.100s' and others are aliases of it; "
			    "let all name the one that is meant",
			    (int)length, entry, canonical_of(entry));
	}
	return 0;
}

int
issuers_check(char *const *table, struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; table != NULL && table[i] != NULL && code == 0; i++) {
		if (i == ISSUERS_MAX)
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "issuers: more than %d entries", ISSUERS_MAX);
		code = strchr(table[i], '=') == NULL
		    ? cairn_error_set(
			  err, CAIRN_EINVAL, "issuers: '%.100s' is no ALIAS=CANONICAL", table[i])
		    : 0;
	}
	for (size_t i = 0; table != NULL && table[i] != NULL && code == 0; i++)
		code = check_entry(table, i, err);
	return code;
}

/* The table's name for an issuer, NULL when it does not know it. */
static const char *
look_up(char *const *table, const char *issuer)
{
	for (size_t i = 0; table != NULL && table[i] != NULL; i++) {
		if (is_alias(table[i], issuer) || strcasecmp(canonical_of(table[i]), issuer) == 0)
			return canonical_of(table[i]);
	}
	return NULL;
}

/* ---- spellings -------------------------------------------------------------------------- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
plain(const char *issuer, char buffer[ISSUER_MAX + 1])
{
	static const char urn[] = "urn:oid:";
	size_t length;

	issuer += strspn(issuer, " \t");
	if (strncasecmp(issuer, urn, sizeof urn - 1) == 0)
		issuer += sizeof urn - 1;
	length = strlen(issuer);
	while (length > 0 && (issuer[length - 1] == ' ' || issuer[length - 1] == '\t'))
		length--;
	if (length > ISSUER_MAX)
		return false;
	memcpy(buffer, issuer, length);
	buffer[length] = 0;
	return true;
}

int
issuers_canonical(char *const *table, bool patient_id, const char *issuer,
    char buffer[ISSUER_MAX + 1], const char **ret)
{
	const char *known = look_up(table, issuer);

	if (known == NULL && table != NULL && table[0] != NULL && plain(issuer, buffer))
		known = look_up(table, buffer);
	if (known != NULL || patient_id) {
		*ret = known != NULL ? known : issuer;
		return 0;
	}
	if (!plain(issuer, buffer))
		return CAIRN_ELIMIT;
	for (char *at = buffer; *at != 0; at++)
		*at = lower(*at);
	*ret = buffer;
	return 0;
}

int
issuers_type(const char *type, char ret[ISSUER_TYPE_MAX + 1])
{
	size_t length = strlen(type);

	if (length == 0 || length > ISSUER_TYPE_MAX)
		return CAIRN_EINVAL;
	for (size_t i = 0; i <= length; i++) {
		char c = lower(type[i]);

		if (c != 0 && strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", c) == NULL)
			return CAIRN_EINVAL;
		ret[i] = c;
	}
	if (strcmp(ret, "mrn") == 0)
		(void)text_copy(ret, ISSUER_TYPE_MAX + 1, "patient-id");
	return 0;
}
