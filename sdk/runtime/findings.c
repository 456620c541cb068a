/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin's check() and health() say, on its way to the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/private.h"

#define FINDING_TEXT_MAX 256
#define FINDINGS_BYTES_MAX ((size_t)CAIRN_FINDINGS_MAX * (3 * FINDING_TEXT_MAX + 32) + 64)

struct finding_texts {
	char what[FINDING_TEXT_MAX], why[FINDING_TEXT_MAX], advice[FINDING_TEXT_MAX];
};

struct cairn_findings {
	Cairn__Findings message;
	Cairn__Finding items[CAIRN_FINDINGS_MAX];
	Cairn__Finding *list[CAIRN_FINDINGS_MAX];
	struct finding_texts texts[CAIRN_FINDINGS_MAX];
};

/* Cut where it is too long, and not within a character. */
static char *
keep(char ret[FINDING_TEXT_MAX], const char *text)
{
	size_t length;

	snprintf(ret, FINDING_TEXT_MAX, "%s", text == NULL ? "" : text);
	length = strlen(ret);
	if (length == FINDING_TEXT_MAX - 1) {
		while (length > 0 && ((unsigned char)ret[length - 1] & 0xc0) == 0x80)
			length--;
		if (length > 0 && ((unsigned char)ret[length - 1] & 0x80) != 0)
			length--;
		ret[length] = 0;
	}
	return ret;
}

void
cairn_finding(struct cairn_findings *findings, const struct cairn_finding *finding)
{
	size_t index = findings->message.n_findings;
	Cairn__Finding *item;

	if (index == CAIRN_FINDINGS_MAX)
		return;
	item = &findings->items[index];
	cairn__finding__init(item);
	item->severity = finding->severity == CAIRN_FINE ? CAIRN__FINDING__SEVERITY__FINE
	    : finding->severity == CAIRN_WARNING         ? CAIRN__FINDING__SEVERITY__WARNING
							 : CAIRN__FINDING__SEVERITY__FAULT;
	item->what = keep(findings->texts[index].what, finding->what);
	item->why = keep(findings->texts[index].why, finding->why);
	item->advice = keep(findings->texts[index].advice, finding->advice);
	findings->list[index] = item;
	findings->message.n_findings++;
}

void
findings_unsupported(struct cairn_findings *findings)
{
	findings->message.supported = false;
}

bool
cairn_serving(const struct cairn *cairn)
{
	return cairn->welcome->serving;
}

static struct cairn_findings *
findings_new(bool supported)
{
	struct cairn_findings *findings = calloc(1, sizeof *findings);

	if (findings == NULL)
		return NULL;
	cairn__findings__init(&findings->message);
	findings->message.supported = supported;
	findings->message.findings = findings->list;
	return findings;
}

/* Packs into `envelope` and sends. */
static void
send_findings(struct cairn *cairn, const struct cairn_findings *findings, Cairn__Envelope *envelope)
{
	uint8_t *bytes = malloc(FINDINGS_BYTES_MAX);

	if (bytes == NULL) {
		runtime_answer(cairn, envelope);
		return;
	}
	envelope->body.data = bytes;
	envelope->body.len = cairn__findings__pack(&findings->message, bytes);
	runtime_answer(cairn, envelope);
	free(bytes);
}

void
runtime_check(struct cairn *cairn, Cairn__Envelope *ready)
{
	struct cairn_findings *findings = findings_new(cairn->plugin.check != NULL);

	if (findings == NULL) {
		ready->code = CAIRN_ENOMEM;
		runtime_answer(cairn, ready);
		return;
	}
	if (cairn->plugin.check != NULL)
		cairn->plugin.check(cairn, findings);
	send_findings(cairn, findings, ready);
	free(findings);
}

void
runtime_health(struct cairn *cairn, uint64_t id)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	struct cairn_findings *findings = findings_new(cairn->plugin.health != NULL);

	envelope.kind = CAIRN__ENVELOPE__KIND__HEALTH;
	envelope.id = id;
	if (findings == NULL) {
		envelope.code = CAIRN_ENOMEM;
		runtime_answer(cairn, &envelope);
		return;
	}
	if (cairn->plugin.health != NULL)
		cairn->plugin.health(cairn->self, findings);
	send_findings(cairn, findings, &envelope);
	free(findings);
}
