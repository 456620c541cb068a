/* SPDX-License-Identifier: Apache-2.0 */
/* A real shared object for node_test.c: its section is what the compiler and linker make of it. */
#include <cairn/plugin.h>

CAIRN_PLUGIN("config-test", "0.1.0",
    "summary: Only its manifest is ever read\n"
    "serves: [{subject: config-test.greet}]\n"
    "config:\n"
    "  greeting: {type: string, default: Hello, help: What it says}\n",
    .start = NULL)
