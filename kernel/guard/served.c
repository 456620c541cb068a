/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/check.h"

#include "cairn/link.pb-c.h"
#include "registry.h"

size_t
guard_served_kernel(struct guard_served *list)
{
	static const struct {
		const char *subject;
		const ProtobufCMessageDescriptor *request; /* NULL: for plugins, not guarded */
	} served[] = {{"pseudonym.patient", NULL}, {"pseudonym.merge", NULL},
	    {"patient.show", &cairn__patient_show__descriptor},
	    {"patient.find", &cairn__patient_find__descriptor},
	    {"patient.conflicts", &cairn__patient_conflicts_request__descriptor},
	    {"patient.resolve", &cairn__patient_resolve__descriptor},
	    {"patient.merge", &cairn__patient_merge__descriptor},
	    {"patient.split", &cairn__patient_merge__descriptor},
	    {"patient.link", &cairn__patient_link__descriptor}};
	const size_t count = sizeof served / sizeof served[0];

	for (size_t i = 0; i < count; i++)
		list[i] = (struct guard_served){.subject = served[i].subject,
		    .guarded = served[i].request != NULL,
		    .own = true,
		    .request = served[i].request};
	return count;
}

size_t
guard_served_add(struct guard_served *list, size_t count, const struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->serve_count && count < GUARD_SERVED_MAX; i++) {
		const struct manifest_serve *serve = &manifest->serves[i];

		list[count++] = (struct guard_served){.subject = serve->subject,
		    .guarded = serve->guarded,
		    .fulfils = (const char *const *)serve->fulfils,
		    .request = serve->request == NULL ? NULL : proto_registry_find(serve->request)};
	}
	return count;
}
