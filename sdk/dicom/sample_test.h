/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_SAMPLE_TEST_H
#define DICOM_SAMPLE_TEST_H

/* A data set that has something of everything, for the codec's tests and the fuzzers' seeds. */

#include <stdbool.h>

#include "dicom/writer.h"

/* Every VR, sequences in sequences, empty ones, private elements, texts in two character sets, an
 * icon in fragments; with `pixels` also pixel data: native, or fragments when encapsulated. */
int sample_write(struct dcm_writer *w, bool pixels, bool encapsulated);

#endif
