/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_SCP_H
#define DICOM_SCP_H

/* The Storage SCP: who may associate, which presentation contexts, and C-STORE into ingest. */

#include "connector.h"

/* Listens as the configuration says (address, port, ae_title, peers, limits). */
int scp_new(struct scp **ret, struct connector *connector, struct cairn_error *err);

/* For health. */
#define SCP_REFUSED_MAX 64

struct scp_state {
	unsigned port;
	size_t associated;
	uint64_t associations;
	uint64_t rejected, bytes; /* since it started; bytes of instances that came */
	unsigned refused;         /* within the last hour, at most SCP_REFUSED_MAX are counted */
	char last_refused[128];
};

void scp_state_get(const struct scp *scp, struct scp_state *ret);
/* Accepts nothing more; `drained` when the last connection is gone. */
void scp_drain(struct scp *scp, void (*drained)(void *arg), void *arg);
void scp_free(struct scp *scp, void (*freed)(void *arg), void *arg);

/*
 * Whether a peer is on the allow-list: "AET" (from anywhere), "AET@10.1.2.3", "*@10.1.2.3".  With
 * an empty list only this machine itself is.
 */
bool scp_peer_allowed(
    const char *const *peers, size_t count, const char *calling, const char *address);

#endif
