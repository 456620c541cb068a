/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

int
address_parse(const char *text, struct sockaddr_storage *ret)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t length = colon == NULL ? 0 : (size_t)(colon - text);
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	int64_t port;

	if (length == 0 || length >= sizeof host ||
	    text_to_integer(colon + 1, 0, 65535, &port) != 0)
		return CAIRN_EINVAL;
	memcpy(host, text, length);
	host[length] = 0;
	memset(ret, 0, sizeof *ret);
	if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = 0;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? 0 : CAIRN_EINVAL;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : CAIRN_EINVAL;
}

static bool
is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	return address->ss_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == 127
					     : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) != 0;
}

int
address_check(const char *address, struct cairn_error *err)
{
	struct sockaddr_storage parsed;

	if (address[0] == '/')
		return 0;
	if (address_parse(address, &parsed) != 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "'metrics' takes 127.0.0.1:PORT, [::1]:PORT or the path of a Unix socket, "
		    "found '%s'",
		    address);
	if (!is_loopback(&parsed))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "'metrics' is for this machine only (127.0.0.1, [::1] or a Unix socket), found "
		    "'%s'; a proxy that asks who comes can carry it further",
		    address);
	return 0;
}
