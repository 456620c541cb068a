/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/sample_test.h"

#include <string.h>

#define VR(text) DCM_VR(text[0], text[1])
#define LATIN1_NAME "M\xfcller^J\xf6rg"
#define KANJI_NAME "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"

struct text_row {
	uint32_t tag;
	const char *vr;
	const char *text;
};

static const struct text_row texts[] = {
    {DCM_TAG(0x0008, 0x0005), "CS", "ISO_IR 100\\ISO 2022 IR 87"},
    {DCM_TAG(0x0008, 0x0016), "UI", "1.2.840.10008.5.1.4.1.1.2"},
    {DCM_TAG(0x0008, 0x0018), "UI", "2.25.123456789"},
    {DCM_TAG(0x0008, 0x0020), "DA", "20240229"},
    {DCM_TAG(0x0008, 0x002a), "DT", "20240229101112.5+0100"},
    {DCM_TAG(0x0008, 0x0030), "TM", "101112.25"},
    {DCM_TAG(0x0008, 0x0054), "AE", "ARCHIVE"},
    {DCM_TAG(0x0008, 0x0060), "CS", "CT"},
    {DCM_TAG(0x0008, 0x0080), "LO", ""},
    {DCM_TAG(0x0008, 0x0081), "ST", "Street 1\r\nTown"},
    {DCM_TAG(0x0008, 0x0119), "UC", "an unlimited name"},
    {DCM_TAG(0x0008, 0x0120), "UR", "urn:oid:1.2.3"},
    {DCM_TAG(0x0010, 0x0010), "PN", LATIN1_NAME},
    {DCM_TAG(0x0010, 0x0020), "LO", "ID-1"},
    {DCM_TAG(0x0010, 0x1001), "PN", KANJI_NAME},
    {DCM_TAG(0x0010, 0x1010), "AS", "042Y"},
    {DCM_TAG(0x0010, 0x21b0), "LT", "long text"},
    {DCM_TAG(0x0018, 0x0050), "DS", "1.25"},
    {DCM_TAG(0x0020, 0x0010), "SH", "STUDY1"},
    {DCM_TAG(0x0020, 0x0013), "IS", "7"},
    {DCM_TAG(0x0040, 0xa160), "UT", "unlimited text"},
};

static const struct {
	uint32_t tag;
	const char *vr;
	size_t length;
} numbers[] = {
    {DCM_TAG(0x0018, 0x6020), "SL", 8},
    {DCM_TAG(0x0072, 0x0078), "UL", 4},
    {DCM_TAG(0x0018, 0x9073), "FD", 16},
    {DCM_TAG(0x0020, 0x9165), "AT", 8},
    {DCM_TAG(0x0042, 0x0011), "OB", 4},
    {DCM_TAG(0x0028, 0x0010), "US", 2},
    {DCM_TAG(0x0028, 0x0107), "SS", 4},
    {DCM_TAG(0x0072, 0x0081), "OV", 16},
    {DCM_TAG(0x0064, 0x0009), "OF", 8},
    {DCM_TAG(0x0066, 0x0040), "OL", 8},
    {DCM_TAG(0x0070, 0x0022), "FL", 8},
    {DCM_TAG(0x0072, 0x0082), "SV", 8},
    {DCM_TAG(0x0072, 0x0083), "UV", 8},
    {DCM_TAG(0x0072, 0x0073), "OD", 16},
    {DCM_TAG(0x5400, 0x1010), "OW", 6},
    {DCM_TAG(0x6000, 0x3000), "OW", 4},
};

static int
write_texts(struct dcm_writer *w)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof texts / sizeof texts[0]; i++)
		code = dcm_put_text(w, texts[i].tag, VR(texts[i].vr), texts[i].text);
	return code;
}

/* The same numbers in either byte order. */
static int
write_number(struct dcm_writer *w, uint32_t tag, uint16_t vr, size_t length)
{
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	if (w->big_endian)
		dcm_swap(bytes, length, dcm_vr_unit(vr));
	return dcm_put_bytes(w, tag, vr, bytes, length);
}

static int
write_numbers(struct dcm_writer *w)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof numbers / sizeof numbers[0]; i++)
		code = write_number(w, numbers[i].tag, VR(numbers[i].vr), numbers[i].length);
	return code;
}

static int
write_fragments(struct dcm_writer *w, uint32_t tag)
{
	int code = dcm_put_header(w, tag, VR("OB"), DCM_UNDEFINED);

	if (code == 0)
		code = dcm_put_fragment(w, "", 0);
	if (code == 0)
		code = dcm_put_fragment(w, "\xff\xd8 one \xff\xd9", 9);
	if (code == 0)
		code = dcm_put_fragment(w, "two!", 4);
	return code == 0 ? dcm_put_sequence_end(w) : code;
}

static int
write_inner(struct dcm_writer *w, bool icon)
{
	int code = dcm_put_sequence_begin(w, DCM_TAG(0x0008, 0x1140));

	for (unsigned i = 0; code == 0 && i < 3; i++) {
		code = dcm_put_item_begin(w);
		if (code == 0 && i != 1)
			code = dcm_put_text(w, DCM_TAG(0x0008, 0x1150), VR("UI"), "1.2.3");
		if (code == 0 && icon && i == 2)
			code = write_fragments(w, DCM_TAG(0x7fe0, 0x0010));
		if (code == 0)
			code = dcm_put_item_end(w);
	}
	return code == 0 ? dcm_put_sequence_end(w) : code;
}

static int
write_sequences(struct dcm_writer *w)
{
	int code = dcm_put_sequence_begin(w, DCM_TAG(0x0008, 0x9215)); /* an empty one */

	if (code == 0)
		code = dcm_put_sequence_end(w);
	if (code == 0)
		code = dcm_put_sequence_begin(w, DCM_TAG(0x0040, 0x0275));
	if (code == 0)
		code = dcm_put_item_begin(w);
	if (code == 0)
		code = write_inner(w, w->explicit_vr);
	if (code == 0)
		code = dcm_put_text(w, DCM_TAG(0x0040, 0x0007), VR("LO"), "step");
	if (code == 0)
		code = dcm_put_item_end(w);
	return code == 0 ? dcm_put_sequence_end(w) : code;
}

static int
write_private(struct dcm_writer *w)
{
	int code = dcm_put_text(w, DCM_TAG(0x0009, 0x0010), VR("LO"), "MAKER 1.0");

	if (code == 0)
		code = dcm_put_bytes(w, DCM_TAG(0x0009, 0x1001), VR("UN"), "abcd", 4);
	return code;
}

int
sample_write(struct dcm_writer *w, bool pixels, bool encapsulated)
{
	int code = write_texts(w);

	if (code == 0)
		code = write_private(w);
	if (code == 0)
		code = write_numbers(w);
	if (code == 0)
		code = write_sequences(w);
	if (code != 0 || !pixels)
		return code;
	if (encapsulated)
		return write_fragments(w, DCM_TAG(0x7fe0, 0x0010));
	return write_number(w, DCM_TAG(0x7fe0, 0x0010), VR("OW"), 16);
}
