/* SPDX-License-Identifier: Apache-2.0 */
/* Transfer syntaxes (PS3.5 10 and A, PS3.6 A) and storage SOP classes. */
#include <string.h>

#include "dicom/dict_table.h"

#define IMAGE(uid, name)                            \
	{                                           \
		uid, name, true, false, false, true \
	}

/* The ones that senders use most stand first; dcm_syntax_find() walks the table. */
static const struct dcm_syntax syntaxes[] = {
    {DCM_EXPLICIT_LE, "Explicit VR Little Endian", true, false, false, false},
    {DCM_IMPLICIT_LE, "Implicit VR Little Endian", false, false, false, false},
    {DCM_EXPLICIT_BE, "Explicit VR Big Endian", true, true, false, false},
    {DCM_DEFLATED_LE, "Deflated Explicit VR Little Endian", true, false, true, false},
    IMAGE("1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)"),
    IMAGE("1.2.840.10008.1.2.4.70", "JPEG Lossless, First-Order Prediction (Process 14 SV 1)"),
    IMAGE("1.2.840.10008.1.2.4.90", "JPEG 2000 (Lossless Only)"),
    IMAGE("1.2.840.10008.1.2.4.91", "JPEG 2000"),
    IMAGE("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
    IMAGE("1.2.840.10008.1.2.4.81", "JPEG-LS Lossy (Near-Lossless)"),
    IMAGE("1.2.840.10008.1.2.5", "RLE Lossless"),
    IMAGE("1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)"),
    IMAGE("1.2.840.10008.1.2.4.57", "JPEG Lossless (Process 14)"),
    IMAGE("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    IMAGE("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Multi-component (Lossless Only)"),
    IMAGE("1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2 Multi-component"),
    IMAGE("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level"),
    IMAGE("1.2.840.10008.1.2.4.100.1", "Fragmentable MPEG2 Main Profile / Main Level"),
    IMAGE("1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level"),
    IMAGE("1.2.840.10008.1.2.4.101.1", "Fragmentable MPEG2 Main Profile / High Level"),
    IMAGE("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    IMAGE("1.2.840.10008.1.2.4.102.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    IMAGE("1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    IMAGE("1.2.840.10008.1.2.4.103.1",
	"Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    IMAGE("1.2.840.10008.1.2.4.104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 for 2D Video"),
    IMAGE("1.2.840.10008.1.2.4.104.1",
	"Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 for 2D Video"),
    IMAGE("1.2.840.10008.1.2.4.105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 for 3D Video"),
    IMAGE("1.2.840.10008.1.2.4.105.1",
	"Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 for 3D Video"),
    IMAGE("1.2.840.10008.1.2.4.106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    IMAGE("1.2.840.10008.1.2.4.106.1",
	"Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    IMAGE("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1"),
    IMAGE("1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1"),
    IMAGE("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"),
    IMAGE("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"),
    IMAGE("1.2.840.10008.1.2.4.112", "JPEG XL"),
    IMAGE("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 (Lossless Only)"),
    IMAGE("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL (Lossless Only)"),
    IMAGE("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"),
    IMAGE("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression"),
    {"1.2.840.10008.1.2.4.94", "JPIP Referenced", true, false, false, false},
    {"1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", true, false, true, false},
    {"1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced", true, false, false, false},
    {"1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate", true, false, true, false},
    IMAGE("1.2.840.10008.1.2.4.52", "JPEG Extended (Process 3 and 5, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.53", "JPEG Spectral Selection (Process 6 and 8, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.54", "JPEG Spectral Selection (Process 7 and 9, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.55", "JPEG Full Progression (Process 10 and 12, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.56", "JPEG Full Progression (Process 11 and 13, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.58", "JPEG Lossless (Process 15, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.59", "JPEG Extended, Hierarchical (Process 16 and 18, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.60", "JPEG Extended, Hierarchical (Process 17 and 19, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.61",
	"JPEG Spectral Selection, Hierarchical (Process 20 and 22, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.62",
	"JPEG Spectral Selection, Hierarchical (Process 21 and 23, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.63",
	"JPEG Full Progression, Hierarchical (Process 24 and 26, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.64",
	"JPEG Full Progression, Hierarchical (Process 25 and 27, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.65", "JPEG Lossless, Hierarchical (Process 28, Retired)"),
    IMAGE("1.2.840.10008.1.2.4.66", "JPEG Lossless, Hierarchical (Process 29, Retired)"),
};

const struct dcm_syntax *
dcm_syntax_at(size_t index)
{
	return index < sizeof syntaxes / sizeof syntaxes[0] ? &syntaxes[index] : NULL;
}

const struct dcm_syntax *
dcm_syntax_find(const char *uid)
{
	for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++) {
		if (strcmp(syntaxes[i].uid, uid) == 0)
			return &syntaxes[i];
	}
	return NULL;
}

const char *
dcm_storage_class_at(size_t index)
{
	return index < dcm_table_storage_count ? dcm_table_storage[index].uid : NULL;
}

const char *
dcm_storage_class_name(const char *uid)
{
	size_t low = 0, high = dcm_table_storage_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(uid, dcm_table_storage[middle].uid);

		if (order == 0)
			return dcm_table_storage[middle].name;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
