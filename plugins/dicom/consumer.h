/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_CONSUMER_H
#define DICOM_CONSUMER_H

/*
 * The index that consumes the facts.  Every few seconds the connector tells it what it holds and to
 * which index all of that was handed over, and hears which index it is.  When that is another one,
 * because the index was lost or an operator wants it made anew, the outbox hands everything over
 * again.  Which index has the facts, and which is getting them, is kept with the outbox's cursor.
 */

#include "connector.h"

struct consumer;

int consumer_new(struct consumer **ret, struct connector *connector, struct cairn_error *err);

/* To be called after connector->stopping is set. */
void consumer_free(struct consumer *consumer, void (*freed)(void *arg), void *arg);

/* All facts are being handed over again. */
bool consumer_again(const struct consumer *consumer);

#endif
