/* SPDX-License-Identifier: Apache-2.0 */
/* Records for the node's ledger: one call to the kernel for many. */
#include <stdlib.h>
#include <string.h>

#include "cairn/ledger.pb-c.h"
#include "runtime/private.h"

#define RECORD_SUBJECT "kernel.record"
#define FIELDS_MAX 32

/* Everything that the message points to; the texts are the caller's. */
struct packing {
	Cairn__PluginRecord records[CAIRN_RECORDS_MAX];
	Cairn__PluginRecord *record_list[CAIRN_RECORDS_MAX];
	Cairn__Field *fields;
	Cairn__Field **field_list;
};

/* protobuf-c reads strings and never writes them, though its struct says `char *`. */
static char *
text(const char *string)
{
	return (char *)(uintptr_t)(string == NULL ? "" : string);
}

static int
check(const struct cairn_record *records, size_t count, size_t *ret_fields)
{
	size_t fields = 0;

	if (count == 0 || count > CAIRN_RECORDS_MAX)
		return CAIRN_EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (records[i].subject == NULL || records[i].verdict == NULL ||
		    records[i].field_count > FIELDS_MAX)
			return CAIRN_EINVAL;
		fields += records[i].field_count;
	}
	*ret_fields = fields;
	return 0;
}

static void
fill(struct packing *packing, const struct cairn_record *records, size_t count)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		Cairn__PluginRecord *to = &packing->records[i];

		cairn__plugin_record__init(to);
		to->subject = text(records[i].subject);
		to->verdict = text(records[i].verdict);
		to->reason = text(records[i].reason);
		to->fields = packing->field_list + used;
		to->n_fields = records[i].field_count;
		for (size_t j = 0; j < records[i].field_count; j++, used++) {
			cairn__field__init(&packing->fields[used]);
			packing->fields[used].name = text(records[i].fields[j].name);
			packing->fields[used].value = text(records[i].fields[j].value);
			packing->field_list[used] = &packing->fields[used];
		}
		packing->record_list[i] = to;
	}
}

static int
pack_and_call(
    struct cairn *cairn, const Cairn__RecordRequest *request, cairn_call_fn done, void *arg)
{
	size_t length = cairn__record_request__get_packed_size(request);
	uint8_t *body = malloc(length + 1);
	int code;

	if (body == NULL)
		return CAIRN_ENOMEM;
	cairn__record_request__pack(request, body);
	code = cairn_call(cairn, RECORD_SUBJECT, body, length, 0, done, arg);
	free(body);
	return code;
}

int
cairn_record(struct cairn *cairn, const struct cairn_record *records, size_t count,
    cairn_call_fn done, void *arg)
{
	Cairn__RecordRequest request = CAIRN__RECORD_REQUEST__INIT;
	struct packing *packing;
	size_t fields = 0;
	int code = check(records, count, &fields);

	if (code != 0)
		return code;
	packing = calloc(1, sizeof *packing);
	if (packing == NULL)
		return CAIRN_ENOMEM;
	packing->fields = calloc(fields + 1, sizeof(Cairn__Field));
	packing->field_list = calloc(fields + 1, sizeof(Cairn__Field *));
	code = CAIRN_ENOMEM;
	if (packing->fields != NULL && packing->field_list != NULL) {
		fill(packing, records, count);
		request.records = packing->record_list;
		request.n_records = count;
		code = pack_and_call(cairn, &request, done, arg);
	}
	free(packing->fields);
	free(packing->field_list);
	free(packing);
	return code;
}
