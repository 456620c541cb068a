/* SPDX-License-Identifier: Apache-2.0 */
/* What a step brings, while its source is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "person.h"
#include "step_private.h"

int
step_grow(void **array, size_t count, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 64 : *room * 2;
	void *grown;

	if (count < *room)
		return 0;
	grown = realloc(*array, more * size);
	if (grown == NULL)
		return CAIRN_ENOMEM;
	*array = grown;
	*room = more;
	return 0;
}

int
step_new(
    struct step **ret, struct connector *connector, const char *source, struct cairn_error *err)
{
	struct step *step = calloc(1, sizeof *step);

	if (step != NULL)
		step->source = strdup(source);
	if (step == NULL || step->source == NULL) {
		free(step);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	step->connector = connector;
	buf_init(&step->packed, STEP_BYTES_MAX);
	*ret = step;
	return 0;
}

static void
wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
step_free(struct step *step)
{
	if (step == NULL)
		return;
	for (size_t i = 0; i < step->newcomer_count; i++) {
		wipe(step->newcomers[i].identifier);
		wipe(step->newcomers[i].issuer);
	}
	for (size_t i = 0; i < step->note_count; i++)
		free(step->notes[i].text);
	for (size_t i = 0; i < step->statement_count; i++)
		cairn__patient_facts__free_unpacked(step->statements[i], NULL);
	free(step->statements);
	free(step->newcomers);
	free(step->items);
	buf_fini(&step->packed);
	free(step->source);
	free(step);
}

static int
digest(const struct step *step, const char *what, uint8_t ret[STATE_KEY])
{
	return state_digest(step->connector->state, step->source, what, ret);
}

static int
add_newcomer(struct step *step, const struct map_result *result, const char *url,
    uint8_t ret_reference[STATE_KEY])
{
	struct newcomer *newcomer;
	char reference[MAP_ID_MAX + 16];
	int code = step_grow((void **)&step->newcomers, step->newcomer_count, &step->newcomer_room,
	    sizeof *newcomer);

	if (code != 0)
		return code;
	newcomer = &step->newcomers[step->newcomer_count];
	*newcomer = (struct newcomer){.step = step};
	snprintf(reference, sizeof reference, "Patient/%s", result->id);
	if (result->id[0] != 0)
		code = digest(step, reference, newcomer->references[newcomer->reference_count++]);
	if (code == 0 && strncmp(url, "urn:", 4) == 0)
		code = digest(step, url, newcomer->references[newcomer->reference_count++]);
	if (code != 0 || newcomer->reference_count == 0)
		return code;
	memcpy(ret_reference, newcomer->references[0], STATE_KEY);
	newcomer->identifier = strdup(result->identifier);
	newcomer->issuer = strdup(result->issuer);
	newcomer->person.birth = result->birth;
	newcomer->person.has_birth = result->has_birth;
	step->newcomer_count++;
	return newcomer->identifier == NULL || newcomer->issuer == NULL ? CAIRN_ENOMEM : 0;
}

/* The id of an entry: of what the resource is called, or, without a name, of what it says. */
static int
resource_digest(
    struct step *step, const struct map_result *result, const char *url, uint8_t ret[STATE_KEY])
{
	char name[MAP_ID_MAX + 80];
	BUF_AUTO said = {.max = STEP_BYTES_MAX};

	snprintf(name, sizeof name, "%s/%s", result->type, result->id);
	if (result->id[0] != 0)
		return digest(step, name, ret);
	if (url[0] != 0)
		return digest(step, url, ret);
	buf_append_text(&said, result->subject);
	for (size_t i = 0; i < result->count; i++) {
		const struct map_fact *fact = &result->facts[i];

		buf_append_format(&said, "|%s=%s,%.17g,%d", fact->attribute,
		    fact->kind == FACT_TEXT ? fact->text : "",
		    fact->kind == FACT_NUMBER ? fact->number : 0,
		    fact->kind == FACT_DAY ? fact->day : 0);
	}
	return buf_text(&said) == NULL ? CAIRN_ENOMEM : digest(step, (const char *)said.data, ret);
}

static int
add_item(struct step *step, const struct map_result *result, const char *url, bool patient,
    const uint8_t reference[STATE_KEY])
{
	char id[2 * STATE_KEY + 1];
	struct item *item;
	int code =
	    step_grow((void **)&step->items, step->item_count, &step->item_room, sizeof *item);

	if (code != 0)
		return code;
	item = &step->items[step->item_count];
	*item = (struct item){.at = step->packed.length, .order = step->item_count};
	memcpy(item->reference, reference, STATE_KEY);
	code = resource_digest(step, result, url, item->resource);
	if (code != 0)
		return code;
	text_hex(item->resource, STATE_KEY, id);
	code = person_pack(result, patient ? "" : id, &step->packed);
	item->length = step->packed.length - item->at;
	step->item_count += code == 0;
	return code;
}

int
step_add(void *arg, const struct map_result *result, const char *url, struct cairn_error *err)
{
	struct step *step = arg;
	bool patient = strcmp(result->type, "Patient") == 0;
	uint8_t reference[STATE_KEY];
	int code = 0;

	if (result->block == NULL || (result->count == 0 && !result->withdrawn && !patient)) {
		step->counts.unused++;
		return 0;
	}
	if (patient && (!result->has_identifier || (result->id[0] == 0 && url[0] == 0))) {
		step->counts.nameless++;
		return 0;
	}
	if (!patient && result->subject[0] == 0) {
		step->counts.orphans++;
		return 0;
	}
	code = patient ? add_newcomer(step, result, url, reference)
		       : digest(step, result->subject, reference);
	if (code == 0)
		code = add_item(step, result, url, patient, reference);
	step->counts.resources += code == 0;
	return code == 0
	    ? 0
	    : cairn_error_set(err, code, "its facts cannot be held: %s", cairn_code_text(code));
}

uint64_t
step_size(const struct step *step)
{
	return step->item_count;
}

int
step_note(struct step *step, const char *name, const char *text)
{
	struct note *note = &step->notes[step->note_count];

	if (step->note_count == STEP_NOTES_MAX || !text_copy(note->name, sizeof note->name, name))
		return CAIRN_ELIMIT;
	note->text = strdup(text);
	if (note->text == NULL)
		return CAIRN_ENOMEM;
	step->note_count++;
	return 0;
}
