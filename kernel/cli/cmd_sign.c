/* SPDX-License-Identifier: Apache-2.0 */
/* Signing a plugin: what its publisher does before giving it away. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/keys.h"
#include "config/config.h"
#include "provenance/provenance.h"

static int
write_signature(const char *path, const struct signature *signature, char ret_path[PATH_MAX],
    struct cairn_error *err)
{
	char *text = NULL;
	int wrote = snprintf(ret_path, PATH_MAX, "%s.sig", path);
	int code;

	if (wrote < 0 || wrote >= PATH_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", path);
	code = signature_print(signature, &text, err);
	if (code == 0)
		code = file_write(ret_path, text, strlen(text), 0644, err);
	free(text);
	return code;
}

static int
sign(const char *path, EVP_PKEY *key, const struct manifest *manifest, struct signature *ret,
    struct cairn_error *err)
{
	struct provenance *object = NULL;
	int code = provenance_open(path, manifest->script, &object, err);

	if (code == 0)
		code = signature_make(key, object->bytes, object->size, ret, err);
	provenance_free(object);
	return code;
}

int
cli_sign_run(struct cli *cli, int argc, char **argv)
{
	const char *named = "publisher";
	const struct cli_option options[] = {{"--key", &named, NULL}, {0}};
	struct cairn_error err = {0};
	struct manifest *manifest = NULL;
	struct signature signature;
	char key_path[PATH_MAX], sig_path[PATH_MAX];
	EVP_PKEY *key = NULL;
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin file");
	code = keys_path(cli, named, key_path, &err);
	if (code == 0)
		code = manifest_read(argv[0], &manifest, &err);
	if (code == 0)
		code = publisher_key_read(key_path, true, &key, &err);
	if (code == 0)
		code = sign(argv[0], key, manifest, &signature, &err);
	if (code == 0)
		code = write_signature(argv[0], &signature, sig_path, &err);
	EVP_PKEY_free(key);
	if (code == 0 && cli->json)
		cli_print_json(json_pack("{s:s, s:s, s:s}", "signature", sig_path, "key",
		    signature.key_id, "digest", signature.digest));
	else if (code == 0)
		printf("signed %s %s: %s\n  %s\n  by %s\n", manifest->name, manifest->version,
		    sig_path, signature.digest, signature.key_id);
	manifest_free(manifest);
	return code == 0 ? CLI_DONE : cli_fail(cli, &err);
}
