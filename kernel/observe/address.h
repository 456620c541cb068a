/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_ADDRESS_H
#define OBSERVE_ADDRESS_H

/* Where figures are shown: "127.0.0.1:9464", "[::1]:9464" or the absolute path of a Unix socket. */

#include <sys/socket.h>

#include <cairn/error.h>

/* Whether `address` is one of the above, and so on this machine only. */
int address_check(const char *address, struct cairn_error *err);
/* Of an IP address and port. */
int address_parse(const char *text, struct sockaddr_storage *ret);

#endif
