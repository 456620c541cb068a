/* SPDX-License-Identifier: Apache-2.0 */
#include "config/setting.h"

void
config_setting_fill(Cairn__Setting *setting, const struct config_value *value)
{
	switch (value->option->type) {
	case CONFIG_STRING:
		setting->value_case = CAIRN__SETTING__VALUE_TEXT;
		setting->text = value->text;
		break;
	case CONFIG_INTEGER:
		setting->value_case = CAIRN__SETTING__VALUE_INTEGER;
		setting->integer = value->integer;
		break;
	case CONFIG_NUMBER:
		setting->value_case = CAIRN__SETTING__VALUE_NUMBER;
		setting->number = value->number;
		break;
	case CONFIG_BOOL:
		setting->value_case = CAIRN__SETTING__VALUE_BOOLEAN;
		setting->boolean = value->boolean;
		break;
	case CONFIG_LIST:
		setting->empty_list = true;
		break;
	}
}
