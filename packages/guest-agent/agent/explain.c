/* Why a program could not be started, told so that its user knows what to grant. */
#include "spawn.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 4096
#define ELF_PROGRAM_HEADER_BYTES 56
#define ELF_TYPE_INTERPRETER 3

static size_t read_head(const char *path, uint8_t head[HEAD_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	ssize_t got = pread(fd, head, HEAD_BYTES, 0);
	close(fd);
	return got < 0 ? 0 : (size_t)got;
}

static struct reader reader_at(const uint8_t *head, size_t size, uint64_t offset)
{
	struct reader r = {.at = head, .left = size, .bad = offset > size};
	if (!r.bad)
		read_bytes(&r, (size_t)offset);
	return r;
}

/* The path in PT_INTERP of a 64-bit little-endian ELF file whose headers lie in its first page. */
static bool elf_interpreter(const uint8_t *head, size_t size, char *path, size_t path_size)
{
	static const uint8_t magic[6] = {0x7f, 'E', 'L', 'F', 2, 1};
	if (size < 64 || memcmp(head, magic, sizeof magic) != 0)
		return false;
	struct reader table = reader_at(head, size, 32);
	uint64_t table_offset = read_u64(&table);
	struct reader counts = reader_at(head, size, 56);
	uint16_t count = read_u16(&counts);
	for (uint16_t i = 0; i < count; i++) {
		struct reader entry = reader_at(head, size, table_offset);
		read_bytes(&entry, (size_t)i * ELF_PROGRAM_HEADER_BYTES);
		uint32_t type = read_u32(&entry);
		read_u32(&entry);
		uint64_t offset = read_u64(&entry);
		read_bytes(&entry, 16);
		uint64_t length = read_u64(&entry);
		if (entry.bad || type != ELF_TYPE_INTERPRETER)
			continue;
		struct reader text = reader_at(head, size, offset);
		if (length == 0 || length > path_size)
			return false;
		const uint8_t *bytes = read_bytes(&text, (size_t)length);
		if (bytes == NULL || bytes[length - 1] != 0)
			return false;
		memcpy(path, bytes, (size_t)length);
		return true;
	}
	return false;
}

/* The interpreter of a `#!` script. */
static bool script_interpreter(const uint8_t *head, size_t size, char *path, size_t path_size)
{
	if (size < 2 || head[0] != '#' || head[1] != '!')
		return false;
	size_t at = 2;
	while (at < size && (head[at] == ' ' || head[at] == '\t'))
		at++;
	size_t length = 0;
	while (at + length < size && length + 1 < path_size && strchr(" \t\n", head[at + length]) == NULL)
		length++;
	memcpy(path, head + at, length);
	path[length] = '\0';
	return length > 0;
}

static uint8_t explain_missing(const char *program, char *message, size_t size)
{
	struct stat found;
	uint8_t head[HEAD_BYTES];
	char interpreter[256];
	if (stat(program, &found) < 0) {
		snprintf(message, size, "%s is not in this unit: grant the store path that holds it", program);
		return NOT_STARTED_NOT_FOUND;
	}
	size_t got = read_head(program, head);
	if (elf_interpreter(head, got, interpreter, sizeof interpreter)) {
		snprintf(message, size, "%s is there, but its ELF interpreter %s is not in this unit: grant the whole closure",
		         program, interpreter);
	} else if (script_interpreter(head, got, interpreter, sizeof interpreter)) {
		snprintf(message, size, "%s is a script, but its interpreter %s is not in this unit: grant the whole closure",
		         program, interpreter);
	} else {
		snprintf(message, size, "%s is there, but something it needs to start is not in this unit", program);
	}
	return NOT_STARTED_NOT_EXECUTABLE;
}

static uint8_t explain_denied(const char *program, char *message, size_t size)
{
	struct stat found;
	if (stat(program, &found) == 0 && (!S_ISREG(found.st_mode) || (found.st_mode & 0111) == 0)) {
		snprintf(message, size, "%s is not an executable file", program);
		return NOT_STARTED_NOT_EXECUTABLE;
	}
	snprintf(message, size, "%s may not be executed here: its mount or a directory above it forbids it", program);
	return NOT_STARTED_PERMISSION;
}

uint8_t explain_failure(const struct failure *failure, const char *program, const char *cwd, char *message, size_t size)
{
	const char *why = strerror(failure->error);
	if (failure->stage == FAILURE_CHDIR) {
		snprintf(message, size, "the working directory %s cannot be entered: %s", cwd, why);
		return NOT_STARTED_BAD_CWD;
	}
	if (failure->stage == FAILURE_USER) {
		snprintf(message, size, "the agent cannot start a command as that user: %s", why);
		return NOT_STARTED_BAD_USER;
	}
	if (failure->stage == FAILURE_EXEC) {
		switch (failure->error) {
		case ENOENT:
			return explain_missing(program, message, size);
		case ENOTDIR:
			snprintf(message, size, "%s is not in this unit: a part of its path is not a directory", program);
			return NOT_STARTED_NOT_FOUND;
		case EACCES:
			return explain_denied(program, message, size);
		case EPERM:
			snprintf(message, size, "%s may not be executed here: %s", program, why);
			return NOT_STARTED_PERMISSION;
		case ENOEXEC:
		case ELIBBAD:
		case EINVAL:
		case ETXTBSY:
			snprintf(message, size, "%s cannot be executed by this kernel (another architecture, or no program): %s",
			         program, why);
			return NOT_STARTED_NOT_EXECUTABLE;
		default:
			break;
		}
	}
	switch (failure->error) {
	case ENOMEM:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case E2BIG:
		snprintf(message, size, "the unit has no room to start %s: %s", program, why);
		return NOT_STARTED_RESOURCES;
	default:
		snprintf(message, size, "%s could not be started: %s", program, why);
		return NOT_STARTED_OTHER;
	}
}
