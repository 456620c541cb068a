/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: one's own to sign plugins with, and those of the publishers whom this node trusts. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/keys.h"
#include "identity/identity.h"
#include "provenance/publisher.h"

#define KEY_NAME_DEFAULT "publisher"

/* A word without '/' names a key in the node's home, anything else is a file. */
int
keys_path(const struct cli *cli, const char *name, char ret[PATH_MAX], struct cairn_error *err)
{
	int wrote;

	if (strchr(name, '/') != NULL) {
		wrote = snprintf(ret, PATH_MAX, "%s", name);
	} else {
		if (!publisher_name_is_good(name))
			return cairn_error_set(err, CAIRN_EINVAL,
			    "'%s' must be made of a-z, 0-9, '.', '_' and '-' (or be a path such as "
			    "./%s.key)",
			    name, name);
		wrote = snprintf(ret, PATH_MAX, "%s/keys/signing/%s.key", cli->home, name);
	}
	return wrote < 0 || wrote >= PATH_MAX
	    ? cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", name)
	    : 0;
}

/* ---- new -------------------------------------------------------------------------------- */

/* "a.key" -> "a.pub" */
static int
public_path(const char *path, char ret[PATH_MAX], struct cairn_error *err)
{
	size_t length = strlen(path);
	int wrote;

	if (length > 4 && strcmp(path + length - 4, ".key") == 0)
		length -= 4;
	wrote = snprintf(ret, PATH_MAX, "%.*s.pub", (int)length, path);
	return wrote < 0 || wrote >= PATH_MAX
	    ? cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", path)
	    : 0;
}

static int
make_signing_dir(const struct cli *cli, const char *name, struct cairn_error *err)
{
	char path[PATH_MAX];

	if (strchr(name, '/') != NULL)
		return 0;
	if (file_join(path, sizeof path, cli->home, "node.yaml") != 0 || !file_exists(path))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s is no node's home, so name a file for the key: cairn key new ./%s.key",
		    cli->home, name);
	if (file_join(path, sizeof path, cli->home, "keys/signing") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", cli->home);
	return file_mkdirs(path, 0700, err);
}

static int
run_new(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	char path[PATH_MAX], public[PATH_MAX], id[PUBLISHER_KEY_ID_MAX] = "";
	const char *name;
	EVP_PKEY *key = NULL;
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0 || argc > 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one key");
	name = argc == 1 ? argv[0] : KEY_NAME_DEFAULT;
	code = keys_path(cli, name, path, &err);
	if (code == 0)
		code = public_path(path, public, &err);
	if (code == 0)
		code = make_signing_dir(cli, name, &err);
	if (code == 0)
		code = publisher_key_create(path, public, &key, &err);
	if (code != 0)
		return cli_fail(cli, &err);
	identity_fingerprint(key, id, sizeof id);
	EVP_PKEY_free(key);
	if (cli->json)
		return cli_print_json(
		    json_pack("{s:s, s:s, s:s}", "key", path, "public_key", public, "id", id));
	printf("made the signing key %s\n  private  %s (keep it to yourself)\n  public   %s\n\n"
	       "sign with it:      cairn plugin sign FILE.so --key %s\n"
	       "a node trusts it:  cairn key trust %s\n",
	    id, path, public, name, public);
	return CLI_DONE;
}

/* ---- list ------------------------------------------------------------------------------- */

struct listing {
	const struct cli *cli;
	const char *use;
	struct cli_table table;
	json_t *array;
};

static int
list_key(void *arg, const char *name, EVP_PKEY *key)
{
	struct listing *listing = arg;
	char id[PUBLISHER_KEY_ID_MAX] = "not an Ed25519 public key; remove the file";

	if (key != NULL)
		identity_fingerprint(key, id, sizeof id);
	if (listing->cli->json)
		json_array_append_new(listing->array,
		    json_pack("{s:o, s:s, s:s}", "name", cli_text(name), "use", listing->use, "id",
			key == NULL ? "" : id));
	else
		cli_table_row(&listing->table, key == NULL ? CLI_RED : CLI_PLAIN, 3,
		    (const char *const[]){name, listing->use, id});
	return 0;
}

static int
list_all(struct listing *listing, const char *home, struct cairn_error *err)
{
	static const struct {
		const char *dir, *suffix, *use;
	} places[] = {{"keys", ".pub", "node"}, {"keys/signing", ".pub", "signing"},
	    {"keys/publishers", ".pem", "trusted"}};
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof places / sizeof places[0]; i++) {
		char dir[PATH_MAX];

		listing->use = places[i].use;
		if (file_join(dir, sizeof dir, home, places[i].dir) != 0)
			return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
		code = publisher_each(dir, places[i].suffix, list_key, listing, err);
	}
	return code;
}

static int
run_list(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct listing listing = {.cli = cli, .array = json_array()};
	struct cairn_error err = {0};
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0) {
		json_decref(listing.array);
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	}
	if (!cli->json)
		cli_table_row(
		    &listing.table, CLI_DIM, 3, (const char *const[]){"KEY", "USE", "ID"});
	code = list_all(&listing, cli->home, &err);
	if (code == 0 && cli->json)
		cli_print_json(json_pack("{s:O}", "keys", listing.array));
	else if (!cli->json)
		cli_table_print(cli, &listing.table);
	json_decref(listing.array);
	return code == 0 ? CLI_DONE : cli_fail(cli, &err);
}

/* ---- trust ------------------------------------------------------------------------------ */

/* "/tmp/acme.pub" -> "acme" */
static void
name_of_file(const char *path, char ret[PUBLISHER_NAME_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;

	snprintf(ret, PUBLISHER_NAME_MAX + 1, "%.*s", (int)strcspn(base, "."), base);
}

static int
copy_key(const struct cli *cli, const char *from, const char *name, struct cairn_error *err)
{
	BUF_AUTO text = {.max = 8192};
	char dir[PATH_MAX], path[PATH_MAX];
	int code = file_read(from, &text, err);

	if (code != 0)
		return code;
	if (file_join(dir, sizeof dir, cli->home, "keys/publishers") != 0 ||
	    snprintf(path, sizeof path, "%s/%s.pem", dir, name) >= (int)sizeof path)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", cli->home);
	if (file_exists(path))
		return cairn_error_set(err, CAIRN_EEXIST,
		    "a publisher '%s' is trusted already (%s); give this one another name with "
		    "--name, or remove that file first",
		    name, path);
	code = file_mkdirs(dir, 0700, err);
	return code == 0 ? file_write(path, text.data, text.length, 0644, err) : code;
}

static int
run_trust(struct cli *cli, int argc, char **argv)
{
	const char *named = NULL;
	const struct cli_option options[] = {{"--name", &named, NULL}, {0}};
	struct cairn_error err = {0};
	char name[PUBLISHER_NAME_MAX + 1], id[PUBLISHER_KEY_ID_MAX] = "";
	EVP_PKEY *key = NULL;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one public key file");
	name_of_file(argv[0], name);
	if (named != NULL)
		snprintf(name, sizeof name, "%s", named);
	if (!publisher_name_is_good(name))
		return cli_usage(
		    cli, "give the publisher a name of a-z, 0-9, '.', '_', '-' with --name");
	if (publisher_key_read(argv[0], false, &key, &err) != 0)
		return cli_fail(cli, &err);
	identity_fingerprint(key, id, sizeof id);
	EVP_PKEY_free(key);
	if (copy_key(cli, argv[0], name, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->json)
		return cli_print_json(json_pack("{s:s, s:s}", "trusted", name, "id", id));
	printf("trusting %s (%s)\n"
	       "  plugins that it signed may be enabled now; check the id with the publisher over "
	       "another channel\n"
	       "  to end it: rm %s/keys/publishers/%s.pem\n",
	    name, id, cli->home, name);
	return CLI_DONE;
}

const struct cli_command cli_key_commands[] = {
    {"key new", "[NAME | ./FILE.key]", "make a key to sign plugins with",
	"An Ed25519 key in HOME/keys/signing/NAME.key (default 'publisher'), its public half in\n"
	"NAME.pub beside it; or in the file that you name. Keys are never overwritten.\n",
	"cairn key new acme", run_new},
    {"key list", "", "list the node's keys and the publishers it trusts", "", "cairn key list",
	run_list},
    {"key trust", "FILE [--name NAME]", "trust the publisher whose public key this is",
	"  --name NAME  what to call it; default: the file's name\n\n"
	"Copies the public key to HOME/keys/publishers/NAME.pem.\n",
	"cairn key trust acme.pub", run_trust},
    {0}};
