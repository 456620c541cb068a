/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_CONNECTOR_H
#define DICOM_CONNECTOR_H

/*
 * The DICOM connector.  An instance goes the same way wherever it comes from:
 *
 *   scp.c (network) \                    patients.c: who the patient becomes
 *                     -> ingest*.c ----- deid/: the header is rewritten in memory
 *   import.c (files) /                   sdk/objects: appended, durable with its facts
 *                                        links.c: which accession is the patient's
 *                                        outbox.c: the facts become jobs
 *                                        consumer.c: and once more, for a new index
 *
 * visits.c tells the ledger of each association, counts.c the metrics how many, check.c the
 * operator how all this is.  Everything runs on the plugin's loop.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <cairn/plugin.h>

#include "deid/deid.h"
#include "objects/store.h"

struct patients;
struct links;
struct outbox;
struct consumer;
struct scp;
struct visits;
struct counts;
struct import;
struct ingest;

/* What to do with images whose pixels may show who the patient is. */
enum pixel_risk_policy {
	PIXEL_RISK_REFUSE_DECLARED,  /* refuse what the object itself says */
	PIXEL_RISK_REFUSE_SUSPECTED, /* and the kinds of image that often do */
	PIXEL_RISK_ACCEPT,
};

struct connector {
	struct cairn *cairn;
	struct deid_profile *profile;
	struct objects *objects;
	struct patients *patients;
	struct links *links; /* NULL: nothing is linked */
	struct outbox *outbox;
	struct consumer *consumer;
	struct scp *scp;
	struct visits *visits;
	struct counts *counts;
	struct import *imports;                             /* under way */
	void (*imports_ended)(struct connector *connector); /* when set: once none is under way */
	struct ingest *ingests;                             /* under way */
	uint64_t buffered, buffered_max;                    /* bytes that these hold in memory */
	enum pixel_risk_policy pixel_risk;
	bool stopping;
	uint64_t stored, duplicates, refused;
};

/* plugin.c: the de-identification that the settings ask for, into connector->profile. */
int connector_open_profile(struct connector *connector, struct cairn_error *err);

#endif
