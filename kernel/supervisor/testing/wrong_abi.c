/* SPDX-License-Identifier: Apache-2.0 */
#include <cairn/plugin.h>

const struct cairn_plugin cairn_plugin = {.size = sizeof(struct cairn_plugin), .abi = 99};
