/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/check.h"

#include "registry.h"

size_t
guard_served_kernel(struct guard_served *list)
{
	list[0] = (struct guard_served){.subject = "pseudonym.patient"};
	return 1;
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
