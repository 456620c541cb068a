/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/text.h"
#include "http.h"

struct parts {
	CURLU *url;
	char *scheme, *host, *port, *user;
};

static void
parts_fini(struct parts *parts)
{
	curl_free(parts->scheme);
	curl_free(parts->host);
	curl_free(parts->port);
	curl_free(parts->user);
	curl_url_cleanup(parts->url);
}

static bool
parts_read(const char *text, struct parts *ret)
{
	*ret = (struct parts){.url = curl_url()};
	if (ret->url == NULL || curl_url_set(ret->url, CURLUPART_URL, text, 0) != CURLUE_OK)
		return false;
	(void)curl_url_get(ret->url, CURLUPART_USER, &ret->user, 0);
	return curl_url_get(ret->url, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK &&
	    curl_url_get(ret->url, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK &&
	    curl_url_get(ret->url, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
}

static bool
is_here(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	    strcmp(host, "[::1]") == 0;
}

int
http_check_url(const char *url, bool plain, struct cairn_error *err)
{
	struct parts parts;
	int code = 0;

	if (strlen(url) > 8000 || !parts_read(url, &parts))
		code = cairn_error_set(
		    err, CAIRN_EINVAL, "it is no address of the form https://HOST[:PORT]/PATH");
	else if (parts.user != NULL)
		code =
		    cairn_error_set(err, CAIRN_EINVAL, "an address has no user or password in it");
	else if (strcasecmp(parts.scheme, "https") != 0 && strcasecmp(parts.scheme, "http") != 0)
		code = cairn_error_set(err, CAIRN_EINVAL, "only https:// and http:// are spoken");
	else if (strcasecmp(parts.scheme, "http") == 0 && !plain && !is_here(parts.host))
		code = cairn_error_set(err, CAIRN_EINVAL,
		    "http:// to another machine is not encrypted; use https://, or set plain_http: "
		    "true inside a protected network");
	if (strlen(url) <= 8000)
		parts_fini(&parts);
	return code;
}

bool
http_same_origin(const char *a, const char *b)
{
	struct parts left, right;
	bool both = parts_read(a, &left), same;

	both = parts_read(b, &right) && both;
	same = both && strcasecmp(left.scheme, right.scheme) == 0 &&
	    strcasecmp(left.host, right.host) == 0 && strcmp(left.port, right.port) == 0;
	parts_fini(&left);
	parts_fini(&right);
	return same;
}

int
http_resolve(const char *base, const char *reference, char *ret, size_t size)
{
	CURLU *url = curl_url();
	char *text = NULL;
	int code = CAIRN_EINVAL;

	if (url != NULL && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_URL, reference, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
		code = text_copy(ret, size, text) ? 0 : CAIRN_ELIMIT;
	curl_free(text);
	curl_url_cleanup(url);
	return code;
}
