/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/text.h"
#include "guard/frozen.h"
#include "guard/library.h"
#include "guard/prelude.h"
#include "guard/question.h"
#include "guard/sandbox.h"
#include "guard/verdict.h"

#define LOAD_INSTRUCTIONS_MIN 1000000u
#define SUBJECT_BYTES_MAX 64

struct rule {
	char label[64]; /* "10-purpose.lua:permitted-purpose" */
	unsigned line;  /* of its `rule {`, 0 when not known */
	char *subjects[POLICY_SUBJECTS_MAX];
	size_t subject_count;
	int decide;                    /* in the registry */
	size_t first_local, end_local; /* of its file */
};

struct policy {
	struct sandbox sandbox;
	const struct policy_source *source;
	struct question_state question;
	struct rule *rules[POLICY_RULES_MAX];
	size_t rule_count;
	const char *loading; /* the file whose rules are registered; NULL afterwards */
	struct frozen_locals locals;
};

/* ---- rules ------------------------------------------------------------------------------ */

static const char *
name_of(const struct rule *rule)
{
	return strchr(rule->label, ':') + 1;
}

static void
free_rule(struct rule *rule)
{
	for (size_t i = 0; i < rule->subject_count; i++)
		free(rule->subjects[i]);
	free(rule);
}

/* The list of subjects at `index`; what is wrong with it, or NULL. */
static const char *
take_subjects(lua_State *lua, int index, struct rule *rule)
{
	size_t count = lua_rawlen(lua, index);

	if (count == 0 || count > POLICY_SUBJECTS_MAX)
		return "subjects must be a list of 1 to 32, such as { \"cohort.*\" }";
	for (size_t i = 1; i <= count; i++) {
		const char *text;
		size_t length = 0;

		lua_rawgeti(lua, index, (lua_Integer)i);
		text = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &length) : "";
		if (length == 0 || length > SUBJECT_BYTES_MAX ||
		    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-.*") != length ||
		    strcspn(text, "*") < length - 1)
			return "each subject must read like \"cohort.count\" or \"cohort.*\"";
		rule->subjects[rule->subject_count] = strdup(text);
		if (rule->subjects[rule->subject_count] == NULL)
			return "no memory";
		rule->subject_count++;
		lua_pop(lua, 1);
	}
	return NULL;
}

static const char *
take_rule(lua_State *lua, struct policy *p, struct rule *rule)
{
	const char *name = luaL_checkstring(lua, 1);

	for (size_t i = 0; i < p->rule_count; i++) {
		if (strcmp(name_of(p->rules[i]), name) == 0)
			return "there is already a rule of this name";
	}
	if ((size_t)snprintf(rule->label, sizeof rule->label, "%s:%s", p->loading, name) >=
	    sizeof rule->label)
		return "file name and rule name together are over 62 characters";
	return take_subjects(lua, 2, rule);
}

/* The line that called rule(), which called us. */
static unsigned
line_of_caller(lua_State *lua)
{
	lua_Debug at;

	if (lua_getstack(lua, 2, &at) != 1 || lua_getinfo(lua, "l", &at) == 0 || at.currentline < 0)
		return 0;
	return (unsigned)at.currentline;
}

/* kernel.register(name, subjects, decide): nil, or what is wrong. */
static int
register_rule(lua_State *lua)
{
	struct policy *p = lua_touserdata(lua, lua_upvalueindex(1));
	struct rule *rule;
	const char *problem;

	luaL_checktype(lua, 2, LUA_TTABLE);
	luaL_checktype(lua, 3, LUA_TFUNCTION);
	if (p->loading == NULL)
		return luaL_error(lua, "rules are made while the file is loaded, not later");
	if (p->rule_count == POLICY_RULES_MAX || (rule = calloc(1, sizeof *rule)) == NULL)
		return luaL_error(lua, "more than %d rules", POLICY_RULES_MAX);
	/* From here on it is freed with the policy, whatever Lua raises. */
	rule->decide = LUA_NOREF;
	rule->line = line_of_caller(lua);
	problem = take_rule(lua, p, rule);
	if (problem != NULL) {
		free_rule(rule);
		lua_pushstring(lua, problem);
		return 1;
	}
	p->rules[p->rule_count++] = rule;
	lua_pushvalue(lua, 3);
	rule->decide = luaL_ref(lua, LUA_REGISTRYINDEX);
	lua_pushnil(lua);
	return 1;
}

/* ---- loading ---------------------------------------------------------------------------- */

/* kernel.nearest(word, list): the nearest text, or nil. */
static const char *
next_item(const void *arg, size_t index)
{
	return ((const char *const *)arg)[index];
}

static int
nearest(lua_State *lua)
{
	const char *words[33] = {NULL};
	size_t count = lua_rawlen(lua, 2);

	for (size_t i = 0; i < count && i < 32; i++) {
		lua_rawgeti(lua, 2, (lua_Integer)i + 1);
		words[i] = luaL_checkstring(lua, -1); /* the list holds it */
		lua_pop(lua, 1);
	}
	lua_pushstring(lua, text_suggest(luaL_checkstring(lua, 1), next_item, words));
	return 1;
}

static void
load_chunk(lua_State *lua, const void *bytes, size_t length, const char *name)
{
	char chunk[80];

	snprintf(chunk, sizeof chunk, "@%s", name);
	if (length > 0 && *(const char *)bytes == LUA_SIGNATURE[0])
		luaL_error(lua, "%s:1: compiled Lua is refused; a policy is text", name);
	if (luaL_loadbufferx(lua, bytes, length, chunk, "t") != LUA_OK)
		lua_error(lua);
}

/* The names that policies see are the prelude's globals. */
static void
load_prelude(lua_State *lua, struct policy *p)
{
	library_push_names(lua);
	lua_newtable(lua);
	lua_pushlightuserdata(lua, p);
	lua_pushcclosure(lua, register_rule, 1);
	lua_setfield(lua, -2, "register");
	lua_pushcfunction(lua, nearest);
	lua_setfield(lua, -2, "nearest");
	lua_insert(lua, -2);
	settings_open(lua, p->source->settings, -2);
	load_chunk(lua, prelude_text, prelude_length, "prelude.lua");
	lua_insert(lua, -2);
	lua_setupvalue(lua, -2, 1);
	lua_insert(lua, -2);
	lua_call(lua, 1, 0);
	library_seal(lua);
}

/* Each file has globals of its own, over the prelude's names. */
static void
load_file(lua_State *lua, struct policy *p, const struct policy_file *file)
{
	size_t first_rule = p->rule_count;
	size_t first_local = p->locals.count;

	p->loading = file->name;
	lua_newtable(lua);
	lua_createtable(lua, 0, 1);
	library_push_names(lua);
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
	load_chunk(lua, file->bytes, file->length, file->name);
	lua_pushvalue(lua, -2);
	lua_setupvalue(lua, -2, 1);
	lua_call(lua, 0, 0);
	frozen_make_reachable(lua, -1, &p->locals);
	lua_pop(lua, 1);
	for (size_t i = first_rule; i < p->rule_count; i++) {
		lua_rawgeti(lua, LUA_REGISTRYINDEX, p->rules[i]->decide);
		frozen_make_reachable(lua, -1, &p->locals);
		lua_pop(lua, 1);
	}
	for (size_t i = first_rule; i < p->rule_count; i++) {
		p->rules[i]->first_local = first_local;
		p->rules[i]->end_local = p->locals.count;
	}
}

static int
load_all(lua_State *lua)
{
	struct policy *p = lua_touserdata(lua, 1);

	load_prelude(lua, p);
	question_open(lua, &p->question);
	frozen_locals_open(lua, &p->locals);
	for (size_t i = 0; i < p->source->file_count; i++)
		load_file(lua, p, &p->source->files[i]);
	p->loading = NULL;
	return 0;
}

static int
load(struct policy *p, struct cairn_error *err)
{
	struct sandbox *s = &p->sandbox;
	uint64_t budget = s->instructions_max;
	char limit[SANDBOX_TEXT_MAX];
	const char *text;
	int status;

	s->instructions_max = budget > LOAD_INSTRUCTIONS_MIN ? budget : LOAD_INSTRUCTIONS_MIN;
	sandbox_begin(s, SANDBOX_LOAD_CPU_MS);
	status = sandbox_protected(s, load_all, p);
	if (status == LUA_OK) {
		s->instructions_max = budget;
		return 0;
	}
	if (s->reached != SANDBOX_NO_LIMIT)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s: loading it took more than %s",
		    p->loading == NULL ? "policies" : p->loading, sandbox_limit_text(s, limit));
	text = lua_type(s->lua, -1) == LUA_TSTRING ? lua_tostring(s->lua, -1) : NULL;
	return cairn_error_set(err, CAIRN_EINVAL, "%s",
	    text != NULL ? text : "a policy file raised an error without a text");
}

int
policy_new(struct policy **ret, const struct policy_source *source, struct cairn_error *err)
{
	const struct guard_options *options = source->options;
	struct policy *p = calloc(1, sizeof *p);
	int code;

	if (p == NULL ||
	    !sandbox_init(&p->sandbox, options->memory_max, options->instructions_max,
		options->match_limit)) {
		free(p);
		return cairn_error_set(err, CAIRN_ENOMEM, "policies: no memory for a Lua state");
	}
	p->source = source;
	code = load(p, err);
	if (code != 0)
		policy_free(p);
	else
		*ret = p;
	return code;
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	sandbox_fini(&p->sandbox);
	frozen_locals_fini(&p->locals);
	for (size_t i = 0; i < p->rule_count; i++)
		free_rule(p->rules[i]);
	free(p);
}

size_t
policy_rule_count(const struct policy *p)
{
	return p->rule_count;
}

bool
policy_rule(const struct policy *p, size_t index, struct policy_rule *ret)
{
	if (index >= p->rule_count)
		return false;
	*ret = (struct policy_rule){.label = p->rules[index]->label,
	    .line = p->rules[index]->line,
	    .subjects = (const char *const *)p->rules[index]->subjects,
	    .subject_count = p->rules[index]->subject_count};
	return true;
}

/* ---- deciding --------------------------------------------------------------------------- */

struct decide {
	struct policy *policy;
	const struct guard_question *question;
	struct guard_decision *ret;
	const char *rule; /* the one that runs */
	bool keeps_state;
};

static bool
applies(const struct rule *rule, const char *subject)
{
	for (size_t i = 0; i < rule->subject_count; i++) {
		if (text_subject_matches(rule->subjects[i], subject))
			return true;
	}
	return false;
}

static void
deny_failed(lua_State *lua, struct decide *d, const struct rule *rule)
{
	const struct sandbox *s = &d->policy->sandbox;
	char limit[SANDBOX_TEXT_MAX];

	d->ret->failed = true;
	if (s->reached != SANDBOX_NO_LIMIT)
		verdict_deny(d->ret, rule->label, "rule '%s' needed more than %s; it was stopped",
		    rule->label, sandbox_limit_text(s, limit));
	else if (lua_type(lua, -1) == LUA_TSTRING)
		verdict_deny(d->ret, rule->label, "rule '%s' failed: %s", rule->label,
		    lua_tostring(lua, -1));
	else
		verdict_deny(d->ret, rule->label, "rule '%s' failed with a %s instead of a message",
		    rule->label, luaL_typename(lua, -1));
}

static bool
keeps_state(lua_State *lua, struct decide *d, const struct rule *rule)
{
	const char *name =
	    frozen_changed(lua, &d->policy->locals, rule->first_local, rule->end_local);

	if (name == NULL)
		return false;
	verdict_deny(d->ret, rule->label,
	    "rule '%s' changed '%s', a variable of its file; one "
	    "decision must leave nothing for the next",
	    rule->label, name);
	return true;
}

/* True when the next rule is to be asked. */
static bool
run_rule(lua_State *lua, struct decide *d, const struct rule *rule)
{
	bool more = false;

	d->rule = rule->label;
	lua_rawgeti(lua, LUA_REGISTRYINDEX, rule->decide);
	question_push(lua, &d->policy->question);
	if (sandbox_pcall(lua, 1, 1) != LUA_OK)
		deny_failed(lua, d, rule);
	else
		more = verdict_add(lua, d->ret, rule->label);
	lua_pop(lua, 1);
	if (keeps_state(lua, d, rule)) {
		d->keeps_state = true;
		return false;
	}
	return more;
}

static int
ask_rules(lua_State *lua)
{
	struct decide *d = lua_touserdata(lua, 1);
	struct policy *p = d->policy;
	const char *subject = d->question->subject == NULL ? "" : d->question->subject;
	bool more = true;

	question_set(lua, &p->question, d->question);
	for (size_t i = 0; i < p->rule_count && more; i++) {
		if (applies(p->rules[i], subject))
			more = run_rule(lua, d, p->rules[i]);
	}
	return 0;
}

bool
policy_decide(struct policy *p, const struct guard_question *question, struct guard_decision *ret)
{
	struct decide d = {.policy = p, .question = question, .ret = ret, .rule = "kernel:guard"};
	char limit[SANDBOX_TEXT_MAX];
	int status;

	sandbox_begin(&p->sandbox, SANDBOX_CPU_MS);
	status = sandbox_protected(&p->sandbox, ask_rules, &d);
	if (status != LUA_OK)
		verdict_deny(ret, d.rule,
		    "the question could not be put to rule '%s': it needed "
		    "more than %s",
		    d.rule, sandbox_limit_text(&p->sandbox, limit));
	lua_settop(p->sandbox.lua, 0);
	p->question.message = NULL;
	return status == LUA_OK && p->sandbox.reached == SANDBOX_NO_LIMIT && !d.keeps_state;
}
