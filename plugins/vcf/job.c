/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file: read its header and digest (worker), ask who its patients are (loop), make its index
 * (worker), put it on the shelf (loop).  Nothing is in place before the last step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/text.h"
#include "cairn/imaging.pb-c.h"
#include "connector.h"

#define ASK_TIMEOUT_MS 10000
#define ASKED_MAX 64 /* at once */
#define PSEUDONYM_MAX 128

struct person {
	char identifier[NAMES_TEXT_MAX + 1];
	char *pseudonym;
	struct job *job;
};

struct job {
	struct connector *connector;
	const atomic_bool *cancelled;
	job_fn *done;
	void *arg;
	char *path;
	struct load *load;
	uint8_t digest[32]; /* of the file */
	uint32_t *columns;
	struct person *people; /* of each column */
	uint32_t count, left_out;
	uint32_t asked, answered; /* people */
	bool somatic;
	char name[SHELF_NAME], *index;
	const char **patients;
	struct load_report report;
	uint64_t line;
	int code;
	struct cairn_error err;
};

/* ---- the end ------------------------------------------------------------------------------ */

static void
job_free(struct job *job)
{
	for (uint32_t i = 0; job->people != NULL && i < job->count; i++)
		free(job->people[i].pseudonym);
	load_close(job->load);
	free(job->people);
	free(job->columns);
	free(job->patients);
	free(job->index);
	free(job->path);
	free(job);
}

static void
finish(struct job *job, bool duplicate)
{
	struct connector *connector = job->connector;
	struct job_result result = {.code = job->code,
	    .duplicate = duplicate,
	    .variants = job->report.variants,
	    .samples = job->count};
	char reason[CAIRN_ERROR_TEXT_MAX + 64] = "";

	if (job->code != 0 && job->line > 0)
		snprintf(reason, sizeof reason, "line %llu: %s", (unsigned long long)job->line,
		    job->err.text);
	else if (job->code != 0)
		snprintf(reason, sizeof reason, "%s", job->err.text);
	else if (job->left_out > 0)
		snprintf(reason, sizeof reason,
		    "taken in without %u of its samples: neither the table nor the rule says whose "
		    "they are",
		    job->left_out);
	result.reason = reason;
	job->done(job->arg, &result);
	job_free(job);
	connector->busy--; /* last: until then the connector stays */
	connector_rest(connector);
}

static void
fail(struct job *job, int code, const char *text)
{
	job->code = cairn_error_set(&job->err, code, "%s", text);
	finish(job, false);
}

/* ---- the header --------------------------------------------------------------------------- */

static int
digest_file(int fd, uint8_t ret[32], const atomic_bool *cancelled, struct cairn_error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = 256 << 10;
	uint8_t *chunk = malloc(size);
	ssize_t got = 1;
	int code = 0;

	if (context == NULL || chunk == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	while (code == 0 && got > 0 && !atomic_load(cancelled)) {
		got = read(fd, chunk, size);
		if (got < 0)
			code =
			    cairn_error_set(err, CAIRN_EIO, "cannot be read: %s", strerror(errno));
		else
			EVP_DigestUpdate(context, chunk, (size_t)got);
	}
	if (code == 0)
		EVP_DigestFinal_ex(context, ret, NULL);
	EVP_MD_CTX_free(context);
	free(chunk);
	if (code == 0 && lseek(fd, 0, SEEK_SET) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot be read twice");
	return code;
}

enum tissue { TISSUE_UNSAID, TISSUE_TUMOUR, TISSUE_NORMAL };

/* What a sample is: by the site's expressions, by the header, by the names that callers give. */
static enum tissue
tissue_of(const struct job *job, const struct vcf_header *header, size_t sample)
{
	const struct names *names = job->connector->names;
	const char *name = header->samples[sample];

	if (names_is_tumour(names, name) ||
	    (header->tumour != NULL && strcmp(header->tumour, name) == 0))
		return TISSUE_TUMOUR;
	if (names_is_normal(names, name) ||
	    (header->normal != NULL && strcmp(header->normal, name) == 0))
		return TISSUE_NORMAL;
	if (header->sample_count == 2 &&
	    (strcasecmp(name, "TUMOR") == 0 || strcasecmp(name, "TUMOUR") == 0))
		return TISSUE_TUMOUR;
	if (header->sample_count == 2 && strcasecmp(name, "NORMAL") == 0)
		return TISSUE_NORMAL;
	return TISSUE_UNSAID;
}

static int
judge_origin(struct job *job, const struct vcf_header *header, bool *ret_all)
{
	size_t tumours = 0, unsaid = 0;

	for (size_t i = 0; i < header->sample_count; i++) {
		enum tissue tissue = tissue_of(job, header, i);

		tumours += tissue == TISSUE_TUMOUR;
		unsaid += tissue == TISSUE_UNSAID;
	}
	job->somatic = job->connector->origin == ORIGIN_SOMATIC ||
	    (job->connector->origin == ORIGIN_AUTO && tumours > 0);
	*ret_all = !job->somatic || (tumours == 0 && unsaid == 1);
	if (job->somatic && tumours == 0 && unsaid != 1)
		return cairn_error_set(&job->err, CAIRN_EINVAL,
		    "which of the %zu samples is the tumour is not said: set `tumour` or `normal`",
		    header->sample_count);
	return 0;
}

static const char *
file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static int
choose_samples(struct job *job)
{
	const struct vcf_header *header = load_header(job->load);
	bool all;
	int code = judge_origin(job, header, &all);

	job->columns = calloc(header->sample_count + 1, sizeof *job->columns);
	job->people = calloc(header->sample_count + 1, sizeof *job->people);
	if (job->columns == NULL || job->people == NULL)
		return cairn_error_set(&job->err, CAIRN_ENOMEM, "out of memory");
	for (size_t i = 0; code == 0 && i < header->sample_count; i++) {
		enum tissue tissue = tissue_of(job, header, i);
		struct person *person = &job->people[job->count];

		if (job->somatic && (all ? tissue == TISSUE_NORMAL : tissue != TISSUE_TUMOUR))
			continue;
		if (!names_patient(job->connector->names, file_name(job->path), header->samples[i],
			person->identifier)) {
			job->left_out++;
			continue;
		}
		person->job = job;
		job->columns[job->count++] = (uint32_t)i;
	}
	if (code == 0 && job->count == 0)
		code = cairn_error_set(&job->err, CAIRN_EINVAL,
		    header->sample_count == 0 ? "has no samples"
					      : "of no sample do the table (`samples`) and the "
						"rule (`rule`) say whose it is");
	return code;
}

static void
open_work(void *arg)
{
	struct job *job = arg;
	struct stat status;
	int fd = open(job->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		job->code = cairn_error_set(&job->err, CAIRN_EIO, "cannot be read: %s",
		    fd < 0 ? strerror(errno) : "no regular file");
		if (fd >= 0)
			close(fd);
		return;
	}
	job->code = digest_file(fd, job->digest, job->cancelled, &job->err);
	if (job->code != 0) {
		close(fd);
		return;
	}
	job->code = load_open(&job->load, fd, job->connector->declared, &job->line, &job->err);
	if (job->code == 0) {
		job->line = 0;
		job->code = choose_samples(job);
	}
}

/* ---- the index ---------------------------------------------------------------------------- */

/* Of the file, of who its samples are, and of what changes its index. */
static int
content_digest(const struct job *job, char ret[SHELF_DIGEST + 1])
{
	const struct connector *connector = job->connector;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE], flags[2] = {job->somatic, connector->pass_only};
	bool fine = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(context, job->digest, sizeof job->digest) == 1 &&
	    EVP_DigestUpdate(context, flags, sizeof flags) == 1;

	for (uint32_t i = 0; fine && i < job->count; i++)
		fine = EVP_DigestUpdate(context, &job->columns[i], sizeof *job->columns) == 1 &&
		    EVP_DigestUpdate(context, job->people[i].pseudonym,
			strlen(job->people[i].pseudonym) + 1) == 1;
	if (fine && connector->fasta != NULL)
		fine = EVP_DigestUpdate(context, connector->fasta, strlen(connector->fasta)) == 1;
	fine = fine && EVP_DigestFinal_ex(context, digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	if (!fine)
		return CAIRN_ENOMEM;
	text_hex(digest, SHELF_DIGEST / 2, ret);
	return 0;
}

static int
source_digest(const struct job *job, char ret[SHELF_DIGEST + 1])
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(job->path, strlen(job->path), digest, NULL, EVP_sha256(), NULL) != 1)
		return CAIRN_ENOMEM;
	text_hex(digest, SHELF_DIGEST / 2, ret);
	return 0;
}

static void
run_work(void *arg)
{
	struct job *job = arg;
	const struct connector *connector = job->connector;
	struct load_plan plan = {.columns = job->columns,
	    .patients = job->patients,
	    .count = job->count,
	    .somatic = job->somatic,
	    .pass_only = connector->pass_only,
	    .threads = connector->threads,
	    .fasta = connector->fasta,
	    .dir = connector->shelf->dir,
	    .path = job->index,
	    .cancelled = job->cancelled};

	job->code = load_run(job->load, &plan, &job->report, &job->err);
	job->line = job->report.line;
}

static void
run_after(void *arg)
{
	struct job *job = arg;
	bool replaced;

	if (job->code == 0)
		job->code = shelf_add(job->connector->shelf, job->name, &replaced, &job->err);
	if (job->code == 0)
		statement_refresh(job->connector->statement);
	finish(job, false);
}

static void
make_index(struct job *job)
{
	char source[SHELF_DIGEST + 1], content[SHELF_DIGEST + 1], path[4096];

	if (source_digest(job, source) != 0 || content_digest(job, content) != 0) {
		fail(job, CAIRN_ENOMEM, "out of memory");
		return;
	}
	if (shelf_has_content(job->connector->shelf, content)) {
		finish(job, true);
		return;
	}
	shelf_name(source, content, job->name);
	job->patients = calloc(job->count, sizeof *job->patients);
	if (job->patients == NULL ||
	    file_join(path, sizeof path, job->connector->shelf->dir, job->name) != 0 ||
	    (job->index = strdup(path)) == NULL) {
		fail(job, CAIRN_ENOMEM, "out of memory");
		return;
	}
	for (uint32_t i = 0; i < job->count; i++)
		job->patients[i] = job->people[i].pseudonym;
	if (cairn_work(job->connector->cairn, run_work, run_after, job) != 0)
		fail(job, CAIRN_EUNAVAILABLE, "no worker thread is free");
}

/* ---- the patients ------------------------------------------------------------------------- */

static void ask_more(struct job *job);

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct person *person = arg;
	struct job *job = person->job;
	Cairn__PseudonymAnswer *answer =
	    code == 0 ? cairn__pseudonym_answer__unpack(NULL, length, body) : NULL;

	job->answered++;
	if (answer != NULL && answer->pseudonym[0] != 0 &&
	    strlen(answer->pseudonym) <= PSEUDONYM_MAX)
		person->pseudonym = strdup(answer->pseudonym);
	if (person->pseudonym == NULL && job->code == 0)
		job->code = cairn_error_set(&job->err, code == 0 ? CAIRN_EPROTO : code,
		    "a patient's pseudonym is not to be had: %.200s",
		    code == 0 ? "the kernel's answer cannot be read" : text);
	if (answer != NULL)
		cairn__pseudonym_answer__free_unpacked(answer, NULL);
	ask_more(job);
}

static int
ask(struct job *job, struct person *person)
{
	Cairn__PseudonymRequest request = CAIRN__PSEUDONYM_REQUEST__INIT;
	uint8_t body[NAMES_TEXT_MAX + 64];
	size_t length;

	request.identifier_type = (char *)(uintptr_t) "patient-id";
	request.identifier = person->identifier;
	length = cairn__pseudonym_request__get_packed_size(&request);
	if (length > sizeof body)
		return CAIRN_ELIMIT;
	cairn__pseudonym_request__pack(&request, body);
	return cairn_call(job->connector->cairn, "pseudonym.patient", body, length, ASK_TIMEOUT_MS,
	    answered, person);
}

static void
ask_more(struct job *job)
{
	while (
	    job->code == 0 && job->asked < job->count && job->asked - job->answered < ASKED_MAX) {
		int code = ask(job, &job->people[job->asked]);

		if (code == 0)
			job->asked++;
		else
			job->code = cairn_error_set(
			    &job->err, code, "cannot ask for a patient's pseudonym");
	}
	if (job->asked != job->answered)
		return;
	if (job->code != 0)
		finish(job, false);
	else
		make_index(job);
}

static void
open_after(void *arg)
{
	struct job *job = arg;

	if (job->code == 0 && atomic_load(job->cancelled))
		job->code = cairn_error_set(&job->err, CAIRN_ECANCELLED, "the import was stopped");
	if (job->code != 0)
		finish(job, false);
	else
		ask_more(job);
}

int
job_start(struct connector *connector, const char *path, const atomic_bool *cancelled, job_fn *done,
    void *arg)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL || (job->path = strdup(path)) == NULL) {
		free(job);
		return CAIRN_ENOMEM;
	}
	job->connector = connector;
	job->cancelled = cancelled;
	job->done = done;
	job->arg = arg;
	if (cairn_work(connector->cairn, open_work, open_after, job) != 0) {
		job_free(job);
		return CAIRN_EUNAVAILABLE;
	}
	connector->busy++;
	return 0;
}
