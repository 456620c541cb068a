/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/provenance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "runtime/bundle.h"

#define COPY_CHUNK 65536
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* ---- the bytes -------------------------------------------------------------------------- */

static int
io_error(const char *path, const char *what, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_EIO, "%s: %s: %s", path, what, strerror(errno));
}

static int
open_file(const char *path, int *ret, struct cairn_error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return cairn_error_set(err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "%s: cannot be opened: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "%s is a folder, which cannot be a plugin; one for `exec: sh` is a folder of "
		    "files, without folders in it",
		    path);
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return cairn_error_set(
		    err, CAIRN_EINVAL, "%s: not a usable plugin: it is not a regular file", path);
	}
	*ret = fd;
	return 0;
}

static int
copy_bytes(int from, int to, const char *path, size_t *size, struct cairn_error *err)
{
	uint8_t chunk[COPY_CHUNK];

	for (;;) {
		ssize_t got = read(from, chunk, sizeof chunk);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return io_error(path, "cannot be read", err);
		if (got == 0)
			break;
		*size += (size_t)got;
		if (*size > PROVENANCE_FILE_MAX)
			return cairn_error_set(err, CAIRN_ELIMIT,
			    "%s: larger than %zu MiB, which is the most that a plugin may be", path,
			    PROVENANCE_FILE_MAX >> 20);
		if (file_write_all(to, chunk, (size_t)got) != 0)
			return io_error(path, "no memory for its bytes", err);
	}
	if (*size == 0)
		return cairn_error_set(
		    err, CAIRN_ECORRUPT, "%s: not a usable shared object: it is empty", path);
	return 0;
}

static int
add_file(struct provenance *p, const char *path, struct cairn_error *err)
{
	FD_AUTO from = -1;
	int code = open_file(path, &from, err);

	return code != 0 ? code : copy_bytes(from, p->fd, path, &p->size, err);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int
add_line(struct provenance *p, const char *path, const char *line, int length, size_t size,
    struct cairn_error *err)
{
	if (length < 0 || (size_t)length >= size ||
	    file_write_all(p->fd, line, (size_t)length) != 0)
		return io_error(path, "no memory for its bytes", err);
	p->size += (size_t)length;
	return 0;
}

static int
add_entry(struct provenance *p, const char *path, struct cairn_error *err)
{
	const char *name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
	char line[BUNDLE_NAME_MAX + 64];
	size_t before = p->size;
	struct stat st;
	int code;

	if (!bundle_name_is_good(name))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: not a usable name of a plugin's file (at most %d characters, not hidden)",
		    path, BUNDLE_NAME_MAX);
	code = add_file(p, path, err);
	if (code != 0)
		return code;
	if (stat(path, &st) != 0)
		return io_error(path, "cannot be read", err);
	return add_line(p, path, line,
	    bundle_file_line(line, sizeof line, p->size - before, (st.st_mode & 0111) != 0, name),
	    sizeof line, err);
}

static int
add_folder(struct provenance *p, const char *folder, size_t *ret_count, struct cairn_error *err)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int count = scandir(folder, &entries, is_entry, by_name);
	int code = 0;

	if (count < 0)
		return io_error(folder, "cannot be read", err);
	if (count > BUNDLE_FILES_MAX)
		code = cairn_error_set(
		    err, CAIRN_ELIMIT, "%s: holds more than %d files", folder, BUNDLE_FILES_MAX);
	for (int i = 0; i < count; i++) {
		if (code == 0 && file_join(path, sizeof path, folder, entries[i]->d_name) != 0)
			code = cairn_error_set(err, CAIRN_ELIMIT, "%s: too long a path", folder);
		if (code == 0)
			code = add_entry(p, path, err);
		free(entries[i]);
	}
	free(entries);
	*ret_count = (size_t)count;
	return code;
}

/* A script, or a folder of them (no folders in it), by name: runtime/bundle.h. */
static int
add_script(struct provenance *p, const char *path, struct cairn_error *err)
{
	char line[64];
	struct stat st;
	size_t count = 1;
	bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int code = folder ? add_folder(p, path, &count, err) : add_entry(p, path, err);

	return code != 0
	    ? code
	    : add_line(p, path, line, bundle_last_line(line, sizeof line, count, folder),
		  sizeof line, err);
}

/* Sealed before it is digested: until then somebody else could have it open. */
static int
seal(struct provenance *p, const char *path, struct cairn_error *err)
{
	if (fcntl(p->fd, F_ADD_SEALS, SEALS) != 0)
		return io_error(path, "its copy in memory cannot be sealed", err);
	p->bytes = mmap(NULL, p->size, PROT_READ, MAP_PRIVATE, p->fd, 0);
	if (p->bytes == MAP_FAILED) {
		p->bytes = NULL;
		return io_error(path, "its copy in memory cannot be mapped", err);
	}
	return signature_digest(p->bytes, p->size, p->digest, err);
}

/* At least 3, so that it is never taken for one of the standard streams. */
static int
make_memory_file(void)
{
	int fd = memfd_create("cairn-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int high;

	if (fd < 0 || fd > 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return high;
}

int
provenance_open(
    const char *path, const char *script, struct provenance **ret, struct cairn_error *err)
{
	struct provenance *p = calloc(1, sizeof *p);
	int code;

	if (p == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", path);
	p->fd = make_memory_file();
	code = p->fd < 0 ? io_error(path, "no memory for a copy", err) : add_file(p, path, err);
	if (code == 0 && script != NULL)
		code = add_script(p, script, err);
	if (code == 0)
		code = seal(p, path, err);
	if (code != 0)
		provenance_free(p);
	else
		*ret = p;
	return code;
}

void
provenance_free(struct provenance *provenance)
{
	if (provenance == NULL)
		return;
	if (provenance->bytes != NULL)
		munmap(provenance->bytes, provenance->size);
	if (provenance->fd >= 0)
		close(provenance->fd);
	free(provenance);
}

/* ---- the verdict ------------------------------------------------------------------------ */

static int
check_signature(struct provenance *p, const char *home, const char *path, struct cairn_error *err)
{
	BUF_AUTO text = {.max = SIGNATURE_FILE_MAX};
	char sig_path[PATH_MAX], publisher[PUBLISHER_NAME_MAX + 1];
	struct signature signature;
	EVP_PKEY *key = NULL;
	int wrote = snprintf(sig_path, sizeof sig_path, "%s.sig", path);
	int code;

	if (wrote < 0 || wrote >= (int)sizeof sig_path || !file_exists(sig_path))
		return cairn_error_set(err, CAIRN_ENOTFOUND, "it is neither signed nor pinned");
	code = file_read(sig_path, &text, err);
	if (code == 0)
		code = signature_parse(
		    (const char *)text.data, text.length, sig_path, &signature, err);
	if (code == 0 && strcmp(signature.digest, p->digest) != 0)
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s is the signature of %s: the file was changed after it was signed", sig_path,
		    signature.digest);
	if (code == 0)
		code = publisher_find(home, signature.key_id, &key, publisher, err);
	if (code == 0)
		code = signature_check(&signature, key, p->bytes, p->size, err);
	EVP_PKEY_free(key);
	if (code == 0)
		memcpy(p->publisher, publisher, sizeof publisher);
	return code;
}

static void __attribute__((format(printf, 3, 4)))
decide(struct provenance *p, enum provenance_verdict verdict, const char *format, ...)
{
	va_list args;

	p->verdict = verdict;
	va_start(args, format);
	if (vsnprintf(p->text, sizeof p->text, format, args) < 0)
		p->text[0] = 0;
	va_end(args);
}

static void
refuse(struct provenance *p, const struct trust *trust, const char *name, const char *path,
    const struct cairn_error *why)
{
	const char *pin = trust_first(trust, TRUST_PIN, name);

	if (pin != NULL && why->code == CAIRN_ENOTFOUND)
		decide(p, PROVENANCE_REFUSED,
		    "%s is not the file that was accepted: expected %s%s, found %s; if you changed "
		    "it, accept it with `cairn plugin enable %s --pin`, else find out who did",
		    path, pin,
		    trust_count(trust, TRUST_PIN, name) > 1 ? " (or another version)" : "",
		    p->digest, name);
	else if (why->code == CAIRN_ENOTFOUND)
		decide(p, PROVENANCE_REFUSED,
		    "%s (%s) may not run: %s; accept this file with `cairn plugin enable %s "
		    "--pin`, or "
		    "its publisher with `cairn key trust`",
		    path, p->digest, why->text, name);
	else
		decide(
		    p, PROVENANCE_REFUSED, "%s (%s) may not run: %s", path, p->digest, why->text);
}

int
provenance_judge(struct provenance *p, const char *home, const char *name, const char *path,
    bool development, struct cairn_error *err)
{
	struct cairn_error why = {0};
	struct trust trust = {0};
	int code = trust_load(home, &trust, err);

	if (code != 0)
		return code;
	if (check_signature(p, home, path, &why) == 0)
		decide(p, PROVENANCE_SIGNED, "signed by %s", p->publisher);
	else if (trust_has(&trust, TRUST_PIN, name, p->digest))
		decide(p, PROVENANCE_PINNED, "pinned at %s", p->digest);
	else if (development)
		decide(p, PROVENANCE_DEVELOPMENT,
		    "development mode: %s (%s) is neither signed nor pinned and runs all the same",
		    path, p->digest);
	else
		refuse(p, &trust, name, path, &why);
	trust_fini(&trust);
	return 0;
}

void
provenance_verdict_text(const struct provenance *p, char ret[PUBLISHER_NAME_MAX + 16])
{
	static const char *const texts[] = {[PROVENANCE_REFUSED] = "refused",
	    [PROVENANCE_PINNED] = "pinned",
	    [PROVENANCE_SIGNED] = "signed by ",
	    [PROVENANCE_DEVELOPMENT] = "development"};

	snprintf(ret, PUBLISHER_NAME_MAX + 16, "%s%s", texts[p->verdict],
	    p->verdict == PROVENANCE_SIGNED ? p->publisher : "");
}
