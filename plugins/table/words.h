/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_WORDS_H
#define TABLE_WORDS_H

/* What a column's name says about what is in it: names of the EUCAIM common data model and common
 * words in English, German, French, Spanish, Italian and Dutch. */

/* An attribute's name, "patient" for what identifies the patient, "-" for what does so beside it
 * (names, addresses) and is to be left out; NULL when the name says nothing. */
const char *words_find(const char *header);

/* What a value of an attribute with a list of codes is called elsewhere ("m", "männlich": male);
 * NULL when not known. */
const char *words_code(const char *attribute, const char *value);

#endif
