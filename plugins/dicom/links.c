/* SPDX-License-Identifier: Apache-2.0 */
#include "links.h"

#include <stdlib.h>
#include <string.h>

#include "cairn/imaging.pb-c.h"

#define TEXT(literal) ((char *)(uintptr_t)(literal)) /* protobuf-c knows no const */
#define ASK_TIMEOUT_MS 30000

struct links {
	struct cairn *cairn;
	bool accession, other_ids, freed;
	size_t waiting;
	uint64_t said[LINKS_REMEMBERED]; /* direct-mapped; 0: none.  A collision says twice, or once
					    too few in 2^64. */
};

struct saying {
	struct links *links;
	uint64_t digest;
};

static bool
is_on(struct cairn *cairn, const char *what)
{
	for (size_t i = 0; i < cairn_config_list_length(cairn, "link"); i++) {
		if (strcmp(cairn_config_list_get(cairn, "link", i), what) == 0)
			return true;
	}
	return false;
}

int
links_new(struct links **ret, struct cairn *cairn, struct cairn_error *err)
{
	struct links *links;

	if (!is_on(cairn, "accession") && !is_on(cairn, "other-patient-ids"))
		return 0;
	links = calloc(1, sizeof *links);
	if (links == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	links->cairn = cairn;
	links->accession = is_on(cairn, "accession");
	links->other_ids = is_on(cairn, "other-patient-ids");
	*ret = links;
	return 0;
}

void
links_free(struct links *links)
{
	if (links == NULL)
		return;
	links->freed = true;
	if (links->waiting == 0)
		free(links);
}

/* FNV-1a, with the zero that ends each text: what is said is no secret here, only long. */
static uint64_t
digest_of(const struct deid_scan *scan)
{
	const char *const texts[] = {scan->patient_id, scan->issuer, scan->accession,
	    scan->accession_issuer, scan->other_id, scan->other_issuer};
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *at = texts[i];

		do
			hash = (hash ^ (unsigned char)*at) * 0x100000001b3;
		while (*at++ != 0);
	}
	return hash == 0 ? 1 : hash;
}

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct saying *saying = arg;
	struct links *links = saying->links;
	uint64_t *slot = &links->said[saying->digest % LINKS_REMEMBERED];

	(void)body, (void)length;
	links->waiting--;
	if (code != 0 && *slot == saying->digest)
		*slot = 0; /* and is said again with the next instance */
	if (code != 0 && !links->freed)
		cairn_log(CAIRN_LOG_WARNING, "a patient's identifiers were not linked: %s", text);
	free(saying);
	if (links->freed && links->waiting == 0)
		free(links);
}

static void
fill(Cairn__PatientIdentifier *to, const char *type, const char *issuer, const char *identifier)
{
	cairn__patient_identifier__init(to);
	to->identifier_type = TEXT(type);
	to->issuer = TEXT(issuer);
	to->identifier = TEXT(identifier);
}

static int
say(struct links *links, const struct deid_scan *scan, struct saying *saying)
{
	Cairn__PseudonymRequest request = CAIRN__PSEUDONYM_REQUEST__INIT;
	Cairn__PatientIdentifier also[2], *list[2] = {&also[0], &also[1]};
	uint8_t body[6 * DEID_TEXT_MAX + 256];

	request.identifier_type = TEXT("patient-id");
	request.issuer = TEXT(scan->issuer);
	request.identifier = TEXT(scan->patient_id);
	request.also = list;
	if (links->accession && scan->accession[0] != 0)
		fill(&also[request.n_also++], "accession", scan->accession_issuer, scan->accession);
	if (links->other_ids && scan->other_id[0] != 0)
		fill(&also[request.n_also++], "patient-id", scan->other_issuer, scan->other_id);
	if (cairn__pseudonym_request__get_packed_size(&request) > sizeof body)
		return CAIRN_ELIMIT;
	return cairn_call(links->cairn, "pseudonym.patient", body,
	    cairn__pseudonym_request__pack(&request, body), ASK_TIMEOUT_MS, answered, saying);
}

void
links_state(struct links *links, const struct deid_scan *scan)
{
	struct saying *saying;
	uint64_t digest;

	/* A study stands for a patient without an identifier (ingest_store.c), who is nobody. */
	if (links == NULL || links->waiting == LINKS_WAITING_MAX ||
	    strcmp(scan->patient_id, scan->study) == 0 ||
	    (!(links->accession && scan->accession[0] != 0) &&
		!(links->other_ids && scan->other_id[0] != 0)))
		return;
	digest = digest_of(scan);
	if (links->said[digest % LINKS_REMEMBERED] == digest)
		return;
	saying = malloc(sizeof *saying);
	if (saying == NULL)
		return;
	*saying = (struct saying){links, digest};
	if (say(links, scan, saying) != 0) {
		free(saying);
		return;
	}
	links->said[digest % LINKS_REMEMBERED] = digest;
	links->waiting++;
}
