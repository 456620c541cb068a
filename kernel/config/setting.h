/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SETTING_H
#define CONFIG_SETTING_H

#include "cairn/bus.pb-c.h"
#include "config/config.h"

/* A value as a WELCOME carries it, borrowed; a list only as an empty one, for each of its items is
 * a setting of its own. */
void config_setting_fill(Cairn__Setting *setting, const struct config_value *value);

#endif
