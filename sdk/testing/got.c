/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of an object is found through dl_iterate_phdr() and its dynamic section.  After
 * `-z now` it is read-only; then its page is made writable for the moment.  The originals are
 * looked up with dlsym(), never called by name: in a test program this very file's calls are
 * replaced too.
 */
#include "testing/got.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define SLOT_TYPES(type) ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT)
#elif defined(__aarch64__)
#define SLOT_TYPES(type) ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT)
#else
#define SLOT_TYPES(type) ((void)(type), 0)
#endif

struct search {
	uintptr_t address;
	const struct got_hook *hooks;
	size_t count;
	size_t replaced;
};

struct table {
	uintptr_t base;
	const ElfW(Sym) * symbols;
	const char *names;
	const ElfW(Rela) * relocations[2];
	size_t bytes[2];
};

static void
table_read(struct table *table, const struct dl_phdr_info *info, const ElfW(Dyn) * entry)
{
	*table = (struct table){.base = info->dlpi_addr};
	for (; entry->d_tag != DT_NULL; entry++) {
		const void *pointer = (const void *)entry->d_un.d_ptr;

		if (entry->d_tag == DT_SYMTAB)
			table->symbols = pointer;
		else if (entry->d_tag == DT_STRTAB)
			table->names = pointer;
		else if (entry->d_tag == DT_RELA)
			table->relocations[0] = pointer;
		else if (entry->d_tag == DT_RELASZ)
			table->bytes[0] = entry->d_un.d_val;
		else if (entry->d_tag == DT_JMPREL)
			table->relocations[1] = pointer;
		else if (entry->d_tag == DT_PLTRELSZ)
			table->bytes[1] = entry->d_un.d_val;
	}
}

static int
slot_write(uintptr_t slot, void (*replacement)(void))
{
	uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)(slot / page_size * page_size);

	/* Stays writable: what was so before must be, and this is a test. */
	if (mprotect(page, page_size, PROT_READ | PROT_WRITE) != 0)
		return -1;
	*(void (**)(void))slot = replacement;
	return 0;
}

static void
table_replace(const struct table *table, struct search *search)
{
	if (table->symbols == NULL || table->names == NULL)
		return;
	for (size_t part = 0; part < 2; part++) {
		size_t count = table->bytes[part] / sizeof(ElfW(Rela));

		for (size_t i = 0; i < count && table->relocations[part] != NULL; i++) {
			const ElfW(Rela) *item = &table->relocations[part][i];
			const char *name =
			    table->names + table->symbols[ELF64_R_SYM(item->r_info)].st_name;

			if (!SLOT_TYPES(ELF64_R_TYPE(item->r_info)))
				continue;
			for (size_t h = 0; h < search->count; h++) {
				if (strcmp(search->hooks[h].name, name) == 0 &&
				    slot_write(table->base + item->r_offset,
					search->hooks[h].replacement) == 0)
					search->replaced++;
			}
		}
	}
}

static int
look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	const ElfW(Dyn) *dynamic = NULL;
	struct table table;
	int here = 0;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)start;
		if (part->p_type == PT_LOAD && search->address >= start &&
		    search->address < start + part->p_memsz)
			here = 1;
	}
	if (!here || dynamic == NULL)
		return 0;
	table_read(&table, info, dynamic);
	table_replace(&table, search);
	return 1;
}

size_t
got_replace(const void *address, const struct got_hook *hooks, size_t count)
{
	struct search search = {.address = (uintptr_t)address, .hooks = hooks, .count = count};

	dl_iterate_phdr(look_at, &search);
	return search.replaced;
}

/* ---- allocations that fail ---------------------------------------------------------------- */

/* The hooks are called without an argument of ours, hence the state of the file. */
static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	char *(*strdup)(const char *);
	char *(*strndup)(const char *, size_t);
	atomic_uint countdown, paused, failed;
} watch;

static int
fails(void)
{
	unsigned left = atomic_load(&watch.countdown);

	if (atomic_load(&watch.paused) > 0)
		return 0;
	while (left > 0) {
		if (!atomic_compare_exchange_weak(&watch.countdown, &left, left - 1))
			continue;
		if (left > 1)
			return 0;
		atomic_store(&watch.failed, 1);
		errno = ENOMEM;
		return 1;
	}
	return 0;
}

static void *
hook_malloc(size_t size)
{
	return fails() ? NULL : watch.malloc(size);
}

static void *
hook_calloc(size_t count, size_t size)
{
	return fails() ? NULL : watch.calloc(count, size);
}

static void *
hook_realloc(void *old, size_t size)
{
	return fails() ? NULL : watch.realloc(old, size);
}

static char *
hook_strdup(const char *text)
{
	return fails() ? NULL : watch.strdup(text);
}

static char *
hook_strndup(const char *text, size_t length)
{
	return fails() ? NULL : watch.strndup(text, length);
}

/* POSIX lets dlsym()'s pointer be a function; C has no cast for it. */
#define LOOK_UP(name)                                        \
	do {                                                 \
		void *found_ = dlsym(RTLD_DEFAULT, #name);   \
		memcpy(&watch.name, &found_, sizeof found_); \
	} while (0)

size_t
got_watch_allocations(const void *address)
{
	static const struct got_hook hooks[] = {{"malloc", (void (*)(void))hook_malloc},
	    {"calloc", (void (*)(void))hook_calloc}, {"realloc", (void (*)(void))hook_realloc},
	    {"strdup", (void (*)(void))hook_strdup}, {"strndup", (void (*)(void))hook_strndup}};

	LOOK_UP(malloc);
	LOOK_UP(calloc);
	LOOK_UP(realloc);
	LOOK_UP(strdup);
	LOOK_UP(strndup);
	return got_replace(address, hooks, sizeof hooks / sizeof *hooks);
}

void
got_fail_allocation(unsigned nth)
{
	atomic_store(&watch.failed, 0);
	atomic_store(&watch.countdown, nth);
}

int
got_allocation_failed(void)
{
	return (int)atomic_load(&watch.failed);
}

void
got_pause(void)
{
	atomic_fetch_add(&watch.paused, 1);
}

void
got_resume(void)
{
	atomic_fetch_sub(&watch.paused, 1);
}
