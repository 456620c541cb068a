/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what a compiled plugin relies on: sizes, offsets and numbers of cairn/plugin.h. */
#include <stdio.h>

#include <cairn/plugin.h>

#define OFFSET(type, field) \
	printf("offset " #type "." #field " %zu\n", offsetof(struct type, field))
#define NUMBER(name) printf("number " #name " %d\n", (int)name)

static void
print_structs(void)
{
	OFFSET(cairn_plugin, size);
	OFFSET(cairn_plugin, abi);
	OFFSET(cairn_plugin, start);
	OFFSET(cairn_plugin, call);
	OFFSET(cairn_plugin, job);
	OFFSET(cairn_plugin, event);
	OFFSET(cairn_plugin, stop);
	OFFSET(cairn_plugin, cancel);
	OFFSET(cairn_plugin, check);
	OFFSET(cairn_plugin, health);
	OFFSET(cairn_plugin, handover);
	OFFSET(cairn_error, code);
	OFFSET(cairn_error, text);
	printf("size cairn_error %zu\n", sizeof(struct cairn_error));
	OFFSET(cairn_job_put, queue);
	OFFSET(cairn_job_put, key);
	OFFSET(cairn_job_put, body);
	OFFSET(cairn_job_put, length);
	printf("size cairn_job_put %zu\n", sizeof(struct cairn_job_put));
	OFFSET(cairn_metric, name);
	OFFSET(cairn_metric, help);
	OFFSET(cairn_metric, label);
	printf("size cairn_metric %zu\n", sizeof(struct cairn_metric));
	OFFSET(cairn_finding, severity);
	OFFSET(cairn_finding, what);
	OFFSET(cairn_finding, why);
	OFFSET(cairn_finding, advice);
	printf("size cairn_finding %zu\n", sizeof(struct cairn_finding));
}

int
main(void)
{
	print_structs();
	NUMBER(CAIRN_ABI);
	NUMBER(CAIRN_LOG_ERROR);
	NUMBER(CAIRN_LOG_DEBUG);
	NUMBER(CAIRN_FINE);
	NUMBER(CAIRN_FAULT);
	NUMBER(CAIRN_EINVAL);
	NUMBER(CAIRN_ENOMEM);
	NUMBER(CAIRN_EIO);
	NUMBER(CAIRN_ENOTFOUND);
	NUMBER(CAIRN_EEXIST);
	NUMBER(CAIRN_EDENIED);
	NUMBER(CAIRN_ETIMEOUT);
	NUMBER(CAIRN_ECANCELLED);
	NUMBER(CAIRN_EUNAVAILABLE);
	NUMBER(CAIRN_ELIMIT);
	NUMBER(CAIRN_ECORRUPT);
	NUMBER(CAIRN_EUNSUPPORTED);
	NUMBER(CAIRN_EAGAIN);
	NUMBER(CAIRN_EPROTO);
	NUMBER(CAIRN_EINTERNAL);
	NUMBER(CAIRN_EFORBIDDEN);
	return 0;
}
