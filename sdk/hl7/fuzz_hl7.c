/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a message: every part is found, unescaped and read as what it might be, and the
 * acknowledgement is a message itself. */
#include <stdlib.h>
#include <string.h>

#include <cairn/hl7.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_field(struct hl7 *m, struct hl7_span field)
{
	struct hl7_span id, space, first = hl7_component(m, field, 1);
	double number;
	int32_t day;

	if (hl7_identifier(m, field, "HOSP", &id, &space))
		hl7_text(m, space);
	hl7_number(m, first, &number);
	hl7_day(first, &day);
	if (strlen(hl7_text(m, hl7_part(field, m->repetition, 1))) > m->all.length)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hl7 m, ack;
	char key[HL7_KEY_SIZE], text[4096];
	struct hl7_problem problem = hl7_open(&m, (const char *)data, size, "8859/1");
	struct hl7_span segment = {0};
	size_t length;

	while (problem.severity == 0 && (segment = hl7_segment(&m, segment, NULL)).length > 0) {
		for (unsigned i = 1; i < 20; i++)
			read_field(&m, hl7_field(&m, segment, i));
	}
	if (problem.severity == 0)
		hl7_job_key(&m, data, size, key);
	length = hl7_ack(&m, problem, text, sizeof text);
	if (length > 0 && (length >= sizeof text || memcmp(text, "MSH", 3) != 0))
		abort();
	if (length > 0) {
		hl7_open(&ack, text, length, "8859/1");
		if (hl7_segment(&ack, (struct hl7_span){0}, "MSA").length == 0 &&
		    ack.all.length > 0)
			abort();
		hl7_fini(&ack);
	}
	hl7_fini(&m);
	return 0;
}
