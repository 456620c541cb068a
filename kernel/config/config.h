/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

/*
 * A node's configuration: node.yaml and plugins/enabled/NAME.yaml (links into plugins/available),
 * each checked against its schema.  An unknown or duplicate key, a wrong type or a value out of
 * range is an error with file, line and "did you mean".  YAML is read with libyaml; anchors,
 * aliases, tags and more than one document are refused.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "provenance/provenance.h"

/* ---- schema and values ------------------------------------------------------------------ */

enum config_type { CONFIG_STRING, CONFIG_INTEGER, CONFIG_NUMBER, CONFIG_BOOL, CONFIG_LIST };

/* One option of a schema.  Keys are dotted paths: "deid.options" is `deid: {options: ...}`. */
struct config_option {
	char *key;
	enum config_type type; /* the items of a LIST are strings */
	char *help;
	bool has_min, has_max; /* of the value, or of a string's or list's length */
	double min, max;
	char **choices; /* allowed strings (of a LIST: allowed items), NULL-terminated, or NULL */
	char *fallback; /* default as YAML text, NULL when the option is required */
};

struct config_schema {
	struct config_option *options;
	size_t count;
};

struct config_value {
	const struct config_option *option;
	char *text;      /* STRING */
	int64_t integer; /* INTEGER */
	double number;   /* NUMBER */
	bool boolean;    /* BOOL */
	char **items;    /* LIST, NULL-terminated */
	size_t item_count;
	unsigned line; /* where the file says it, 0 for a default */
};

/* One value for every option of the schema, in the schema's order. */
struct config_values {
	struct config_value *values;
	size_t count;
};

/* Reads `path` against `schema`; defaults fill what the file leaves out. */
int config_load(const char *path, const struct config_schema *schema, struct config_values *ret,
    struct cairn_error *err);
void config_values_fini(struct config_values *values);
/* NULL when the schema has no such key. */
const struct config_value *config_find(const struct config_values *values, const char *key);

/* ---- manifests -------------------------------------------------------------------------- */

struct manifest_serve {
	char *subject;
	bool guarded;  /* default true: a plugin must say `guarded: false` */
	char *request; /* full protobuf message name of the body ("cairn.CountRequest"), or NULL */
	char *answer;  /* of the answer's body, or NULL */
	/* Each ends in NULL; NULL where the manifest does not say. */
	char **record;  /* fields of request and answer that go into the ledger's outcome */
	char **fulfils; /* the obligations that the handler carries out */
};

/* The text of a plugin's .cairn.manifest section, checked. */
struct manifest {
	char *name; /* [a-z][a-z0-9-]{0,31} */
	char *version;
	unsigned abi;
	char *kind; /* connector, engine, sink, policy; default engine */
	char *summary;
	char *path; /* the shared object or NAME.plugin.yaml it came from */
	/* Of a plugin in another language: a program, "lua" or "sh", and what it runs; or NULL. */
	char *interpreter, *script;
	struct manifest_serve *serves;
	size_t serve_count;
	char **capabilities; /* "listen:tcp", "job:facts", "call:pseudonym.patient", "secret:uid",
				... */
	size_t capability_count;
	struct config_schema schema;
};

/* Reads the ELF section (64-bit, this machine's byte order), or a file that ends in .plugin.yaml,
 * without running anything; the file is hostile until proven otherwise. */
int manifest_read(const char *shared_object, struct manifest **ret, struct cairn_error *err);
/* The same of an open shared object, whose name in messages and in `path` is given. */
int manifest_read_fd(
    int fd, const char *shared_object, struct manifest **ret, struct cairn_error *err);
int manifest_parse(const char *text, size_t length, const char *origin, struct manifest **ret,
    struct cairn_error *err);
void manifest_free(struct manifest *manifest);
/* "job:facts" asked for exactly, or covered by a pattern such as "call:cohort.*". */
bool manifest_has(const struct manifest *manifest, const char *capability);

/* CAIRN_EUNSUPPORTED when a subject's `request` or `answer` is no message type of this kernel. */
int manifest_types_check(const struct manifest *manifest, struct cairn_error *err);

/* The commented YAML that `cairn init` puts in plugins/available/: every option with its help,
 * type, range and default.  malloc'ed text. */
int manifest_example(const struct manifest *manifest, char **ret_text, struct cairn_error *err);

/* ---- the node --------------------------------------------------------------------------- */

struct node_config {
	char *home;
	char *id;                    /* [a-z0-9][a-z0-9.-]{0,62} */
	char *name;                  /* for people */
	char *role;                  /* "site" or "hub" */
	char *project;               /* pseudonyms of different projects never meet */
	char *plugin_dir;            /* where shared objects are */
	unsigned restart_limit;      /* crashes within restart_window_s that open the breaker; 10 */
	unsigned restart_window_s;   /* 60 */
	unsigned stop_timeout_ms;    /* a host that has not stopped by then is killed; 10,000 */
	unsigned heartbeat_ms;       /* 5,000 */
	unsigned heartbeat_limit_ms; /* 15,000 without a sign of life are a crash */
	unsigned log_size_kb;        /* of one log file of a plugin; 10,240 */
	unsigned log_files;          /* of each plugin; 5 */
	bool sandbox_require;        /* no plugin runs with less than all of its sandbox */
	char **import_dirs;          /* from which plugins read files, NULL-terminated */
	unsigned plugin_memory_mb;   /* 8,192 */
	unsigned plugin_disk_mb;     /* of state/NAME and of one file; 1,048,576 */
	unsigned plugin_user; /* the first of the plugins' users where run as root; 0: none */
	char *metrics;        /* where figures are shown, "" for nowhere */
	bool log_json;        /* log_format: json */
	bool core_files;      /* a crash may leave one */
	char **issuers;       /* ALIAS=CANONICAL (link/issuers.h), NULL-terminated */
	char **interpreters;  /* that may run plugins, NULL-terminated */
	bool
	    development; /* not in node.yaml: `cairn run --dev`, plugins need no signature or pin */
	bool asking;     /* nor this: a plugin is read to ask for what it was not granted yet */
};

int node_config_load(const char *home, struct node_config **ret, struct cairn_error *err);
void node_config_free(struct node_config *config);
/* The commented node.yaml that `cairn init` writes. malloc'ed text. */
int node_config_example(const char *id, const char *name, const char *plugin_dir, char **ret_text,
    struct cairn_error *err);

/* One enabled plugin: its manifest and its checked values. */
struct plugin_config {
	struct manifest *manifest;
	struct config_values values;
	/* The bytes that the host will load and what is known of their origin.  When the verdict is
	 * PROVENANCE_REFUSED, the manifest holds no more than the name, and there are no values. */
	struct provenance *object;
};

/* Reads the plugin NAME from `path`: its bytes, whether they may run, and the manifest in them. */
int plugin_admit(const struct node_config *node, const char *name, const char *path,
    struct plugin_config *ret, struct cairn_error *err);
/* The capabilities that the manifest asks for and HOME/plugins/trust does not grant; how many. */
size_t plugin_ungranted(
    const struct manifest *manifest, const struct trust *trust, const char **ret, size_t max);

/* Where a plugin is: PLUGIN_DIR/NAME.so or NAME.plugin.yaml, or either in PLUGIN_DIR/NAME.
 * CAIRN_ENOTFOUND, CAIRN_ELIMIT. */
int plugin_file_find(const char *plugin_dir, const char *name, char *ret, size_t size);

/* The same for a node: what `cairn plugin install` put in its store comes first. */
int plugin_object_find(const struct node_config *node, const char *name, char *ret, size_t size);
/* HOME/state/kernel/plugins, where installed plugins lie as NAME/VERSION/NAME.so with the links
 * NAME/current and NAME/previous. */
#define PLUGIN_STORE "state/kernel/plugins"

/* Every link in HOME/plugins/enabled, sorted by name, each with the file that plugin_object_find()
 * says. */
int plugin_configs_load(const struct node_config *node, struct plugin_config **ret,
    size_t *ret_count, struct cairn_error *err);
/* One enabled plugin; `object` (may be NULL) in place of the file that plugin_object_find() says.
 */
int plugin_config_load(const struct node_config *node, const char *name, const char *object,
    struct plugin_config *ret, struct cairn_error *err);
void plugin_config_fini(struct plugin_config *config);
/* HOME/plugins/masked/NAME: while it is there (its text says why) the plugin cannot be enabled. */
int plugin_mask_path(const char *home, const char *name, char *ret, size_t size);
int plugin_mask_check(const char *home, const char *name, struct cairn_error *err);
void plugin_configs_free(struct plugin_config *configs, size_t count);

#endif
