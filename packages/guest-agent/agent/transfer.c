#include "transfer.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

/* Set by SIGTERM: the unit is shutting down. */
static volatile sig_atomic_t asked_to_end;

static void on_term(int number)
{
	(void)number;
	asked_to_end = 1;
}

static bool put_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, bytes, size);
		if (put < 0 && errno == EINTR && !asked_to_end)
			continue;
		if (put <= 0)
			return false;
		bytes += put;
		size -= (size_t)put;
	}
	return true;
}

/* What was given up because the unit ends, or because a program in it says so, has this reason and no other. */
static int reason_of(int error) { return asked_to_end ? ECANCELED : error; }

static bool report(int socket, uint8_t status, int error, uint64_t size, uint32_t mode)
{
	uint8_t bytes[LIMIT_FILE_RESULT_BYTES];
	struct writer w = {.at = bytes, .left = sizeof bytes, .bad = false};
	write_u8(&w, status);
	write_u32(&w, (uint32_t)error);
	write_u64(&w, size);
	write_u16(&w, (uint16_t)(mode & 07777));
	return put_all(socket, bytes, sizeof bytes);
}

static int open_beneath(int directory, const char *path, uint64_t flags, bool is_root)
{
	/* Links are followed as long as they lead nowhere else. In / nothing is elsewhere, and absolute ones are usual. */
	struct open_how how = {.flags = flags | O_CLOEXEC,
	                       .resolve = RESOLVE_NO_MAGICLINKS | (is_root ? RESOLVE_IN_ROOT : RESOLVE_BENEATH)};
	return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

static int open_below(const struct request *request, const char *path, uint64_t flags)
{
	int below = open(request->file.below, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (below < 0)
		return -1;
	int fd = open_beneath(below, path, flags, strcmp(request->file.below, "/") == 0);
	int error = errno;
	close(below);
	errno = error;
	return fd;
}

static uint8_t status_of(mode_t mode) { return S_ISDIR(mode) ? FILE_DIRECTORY : FILE_NOT_REGULAR; }

/* Getting. */

/* Opens it only once it is known to be a file: opening a device may do something, and a FIFO may wait. */
static int open_regular(const struct request *request, struct stat *file, uint8_t *status)
{
	char self[64];
	*status = FILE_FAILED;
	int place = open_below(request, request->file.path, O_PATH);
	if (place < 0)
		return -1;
	int fd = -1;
	int error = 0;
	if (fstat(place, file) < 0) {
		error = errno;
	} else if (!S_ISREG(file->st_mode)) {
		*status = status_of(file->st_mode);
	} else {
		snprintf(self, sizeof self, "/proc/self/fd/%d", place);
		fd = open(self, O_RDONLY | O_CLOEXEC);
		error = errno;
	}
	close(place);
	errno = error;
	return fd;
}

static void get(const struct request *request, int socket)
{
	static uint8_t chunk[CHUNK_BYTES];
	struct stat file;
	uint8_t status;
	int fd = open_regular(request, &file, &status);
	if (fd < 0) {
		report(socket, status, status == FILE_FAILED ? reason_of(errno) : 0, 0, 0);
		return;
	}
	uint64_t left = (uint64_t)file.st_size;
	bool sent = report(socket, FILE_DONE, 0, left, file.st_mode);
	/* What grows meanwhile is cut where it was; what shrinks ends early, and the host can tell. */
	while (sent && left > 0 && !asked_to_end) {
		ssize_t got = read(fd, chunk, left < sizeof chunk ? (size_t)left : sizeof chunk);
		sent = got > 0 && put_all(socket, chunk, (size_t)got);
		left -= got > 0 ? (uint64_t)got : 0;
	}
	close(fd);
}

/* Putting. */

/* The host has taken everything back, which is not the end of what it sends. */
static bool is_cancelled(int socket)
{
	struct pollfd p = {.fd = socket, .events = POLLIN};
	return asked_to_end || (poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0);
}

/* Copies what comes. False: it failed with errno, or with another status. */
static bool receive(const struct request *request, int socket, int file, uint8_t *status)
{
	static uint8_t chunk[CHUNK_BYTES];
	uint64_t received = 0;
	*status = FILE_FAILED;
	for (;;) {
		ssize_t got = read(socket, chunk, sizeof chunk);
		if (got < 0 && errno == EINTR && !asked_to_end)
			continue;
		if (got < 0)
			return false;
		received += (uint64_t)got;
		if (got == 0 || received > request->file.size)
			break;
		if (!put_all(file, chunk, (size_t)got))
			return false;
	}
	*status = FILE_CUT;
	return received == request->file.size;
}

static bool settle(const struct request *request, int file)
{
	if (request->file.uid != USER_OWN && fchown(file, request->file.uid, request->file.gid) < 0)
		return false;
	return fchmod(file, request->file.mode) == 0 && fsync(file) == 0;
}

/* What it replaces may be a file or a link, which goes; nothing else. */
static bool may_replace(int directory, const char *name, uint8_t *status)
{
	struct stat there;
	*status = FILE_FAILED;
	if (fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	if (S_ISREG(there.st_mode) || S_ISLNK(there.st_mode))
		return true;
	*status = status_of(there.st_mode);
	return false;
}

static bool put_into(const struct request *request, int socket, int directory, const char *name, uint8_t *status)
{
	char temporary[64];
	uint64_t random = 0;
	if (!may_replace(directory, name, status))
		return false;
	if (getrandom(&random, sizeof random, 0) < 0)
		return false;
	snprintf(temporary, sizeof temporary, ".spectrum-put-%016llx", (unsigned long long)random);
	int file = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return false;
	/* No room is best told before anything is sent. Not every file system can say. */
	bool done = request->file.size == 0 || fallocate(file, 0, 0, (off_t)request->file.size) == 0 ||
	            errno == EOPNOTSUPP || errno == ENOSYS;
	done = done && receive(request, socket, file, status);
	if (done)
		*status = FILE_FAILED;
	done = done && settle(request, file) && !is_cancelled(socket) &&
	       renameat(directory, temporary, directory, name) == 0;
	int error = errno;
	close(file);
	if (done)
		fsync(directory);
	else
		unlinkat(directory, temporary, 0);
	errno = error;
	return done;
}

static void put(const struct request *request, int socket)
{
	char parent[LIMIT_PATH_BYTES + 1] = ".";
	uint8_t status = FILE_FAILED;
	const char *path = request->file.path;
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	if (slash != NULL) {
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = '\0';
	}
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		report(socket, FILE_DIRECTORY, 0, 0, 0);
		return;
	}
	int directory = open_below(request, parent, O_RDONLY | O_DIRECTORY);
	bool done = directory >= 0 && put_into(request, socket, directory, name, &status);
	int error = errno;
	if (done)
		report(socket, FILE_DONE, 0, request->file.size, request->file.mode);
	else
		report(socket, status, status == FILE_FAILED ? reason_of(error) : 0, 0, 0);
}

void transfer(const struct request *request, int socket)
{
	struct sigaction action = {.sa_handler = on_term};
	sigset_t none;
	/* The channel and other commands' pipes would stay open for as long as this goes on. */
	if (dup2(socket, 3) < 0 || close_range(4, UINT_MAX, 0) < 0)
		_exit(1);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (request->type == FRAME_PUT_FILE)
		put(request, 3);
	else
		get(request, 3);
	_exit(0);
}
