/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is hostile: every offset and size in it is compared with the file's size before it is
 * used, and what is read at once is bounded.  pread() rather than mmap(), so that a file that
 * shrinks under us is an error and not a signal.
 */
#include "config/section.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "plugins are for x86-64 and aarch64"
#endif

struct object {
	const char *path;
	int fd;
	uint64_t size;
	Elf64_Ehdr header;
	struct cairn_error *err;
};

static int
damaged(const struct object *o, const char *what)
{
	return cairn_error_set(
	    o->err, CAIRN_ECORRUPT, "%s: not a usable shared object: %s", o->path, what);
}

static int
read_at(const struct object *o, uint64_t offset, void *ret, uint64_t length)
{
	uint8_t *at = ret;

	if (offset > o->size || length > o->size - offset)
		return damaged(o, "it ends before what its header announces");
	while (length > 0) {
		ssize_t got = pread(o->fd, at, length, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return cairn_error_set(o->err, CAIRN_EIO, "%s: cannot be read: %s", o->path,
			    got == 0 ? "it became shorter" : strerror(errno));
		at += got;
		offset += (uint64_t)got;
		length -= (uint64_t)got;
	}
	return 0;
}

static int
append_at(const struct object *o, const Elf64_Shdr *section, struct buf *buf)
{
	size_t start = buf->length;
	int code;

	if (section->sh_size > o->size)
		return damaged(o, "a section is larger than the file");
	code = buf_append_zero(buf, section->sh_size);
	if (code != 0)
		return cairn_error_set(o->err, code,
		    "%s: a section of %llu bytes is more than "
		    "the %zu that are read",
		    o->path, (unsigned long long)section->sh_size, buf->max);
	return section->sh_size == 0
	    ? 0
	    : read_at(o, section->sh_offset, buf->data + start, section->sh_size);
}

static int
stat_object(struct object *o)
{
	struct stat st;

	if (o->fd < 0 || fstat(o->fd, &st) != 0)
		return cairn_error_set(o->err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "%s: cannot be opened: %s", o->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return damaged(o, "it is not a regular file");
	o->size = (uint64_t)st.st_size;
	return 0;
}

static int
check_header(struct object *o)
{
	const Elf64_Ehdr *h = &o->header;
	int code;

	if (o->size < sizeof *h)
		return damaged(o, "it is too short for an ELF header");
	code = read_at(o, 0, &o->header, sizeof *h);
	if (code != 0)
		return code;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return damaged(o, "it is no ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != MACHINE)
		return damaged(o, "it was built for another kind of machine");
	if (h->e_type != ET_DYN)
		return damaged(o, "it is no shared object (link it with -shared)");
	if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shnum == 0)
		return damaged(o, "it has no section headers");
	if (h->e_shnum > SECTION_COUNT_MAX || h->e_shstrndx >= h->e_shnum)
		return damaged(o, "its section headers are out of range");
	return 0;
}

static int
read_names(const struct object *o, struct buf *names)
{
	Elf64_Shdr header;
	int code = read_at(
	    o, o->header.e_shoff + o->header.e_shstrndx * sizeof header, &header, sizeof header);

	if (code == 0)
		code = append_at(o, &header, names);
	/* So that every offset inside is a string that ends. */
	return code == 0 ? buf_append_zero(names, 1) : code;
}

static int
find_section(const struct object *o, const char *name, const struct buf *names, Elf64_Shdr *ret)
{
	bool found = false;

	for (unsigned i = 0; i < o->header.e_shnum; i++) {
		Elf64_Shdr header;
		int code =
		    read_at(o, o->header.e_shoff + i * sizeof header, &header, sizeof header);

		if (code != 0)
			return code;
		if (header.sh_name >= names->length ||
		    strcmp((const char *)names->data + header.sh_name, name) != 0)
			continue;
		if (found)
			return damaged(o, "it has two manifests");
		if (header.sh_type != SHT_PROGBITS)
			return damaged(o, "its manifest section holds no bytes");
		found = true;
		*ret = header;
	}
	if (!found)
		return cairn_error_set(o->err, CAIRN_ENOTFOUND,
		    "%s: has no %s section: no Cairn plugin (CAIRN_PLUGIN() makes it)", o->path,
		    name);
	return 0;
}

int
section_read_fd(
    int fd, const char *path, const char *name, struct buf *buf, struct cairn_error *err)
{
	struct object o = {.path = path, .fd = fd, .err = err};
	BUF_AUTO names = {.max = SECTION_NAMES_MAX};
	Elf64_Shdr section;
	int code = stat_object(&o);

	if (code == 0)
		code = check_header(&o);
	/* The table inside the file, so that no offset below can overflow. */
	if (code == 0 && o.header.e_shoff > o.size)
		code = damaged(&o, "its section headers are out of range");
	if (code == 0)
		code = read_names(&o, &names);
	if (code == 0)
		code = find_section(&o, name, &names, &section);
	if (code == 0)
		code = append_at(&o, &section, buf);
	return code;
}

int
section_read(const char *path, const char *name, struct buf *buf, struct cairn_error *err)
{
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return section_read_fd(fd, path, name, buf, err);
}
