#include "stream.h"
#include "channel.h"
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct stream {
	/* 0: free. */
	uint32_t id;
	int fd;
	/* What the last poll said of it, or NULL. */
	const struct pollfd *polled;
	bool is_file;
	/* The program has closed its end; what it had sent may still wait for credit. */
	bool hung_up;

	/* From the program to the host. */
	uint64_t received;
	uint32_t receive_credit;
	bool stop_seen;
	bool receive_ended;

	/* From the host to the program: LIMIT_STREAM_WINDOW bytes, of which `used` from `start` on are held. */
	uint8_t *buffer;
	size_t start;
	size_t used;
	uint64_t sent;
	/* What the host may still send, and what became free but was not granted yet. */
	uint32_t send_credit;
	uint32_t ungranted;
	bool end_seen;
	/* The program has been told the end, or reads no more. */
	bool send_ended;
};

/* Calls first: those that programs open cannot take the room of those that the host opens. */
static struct stream streams[STREAMS_MAX_FDS];
static uint32_t next_call = 1;
static uint32_t last_connection;

static struct stream *find(uint32_t id)
{
	for (size_t i = 0; id != 0 && i < STREAMS_MAX_FDS; i++)
		if (streams[i].id == id)
			return &streams[i];
	return NULL;
}

static struct stream *find_free(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (streams[i].id == 0)
			return &streams[i];
	return NULL;
}

/* Ids only grow, so one that is not in the table was either closed, and frames cross, or never used. */
static const char *unless_closed(uint32_t id, const char *wrong)
{
	bool used = (id & 1) != 0 ? id < next_call : id != 0 && id <= last_connection;
	return used ? NULL : wrong;
}

static bool begin(struct stream *s, uint32_t id, int fd)
{
	uint8_t *buffer = malloc(LIMIT_STREAM_WINDOW);
	if (buffer == NULL)
		return false;
	*s = (struct stream){.id = id, .fd = fd, .buffer = buffer, .send_credit = LIMIT_STREAM_WINDOW};
	return true;
}

static void report(uint8_t type, uint32_t id)
{
	struct writer w = channel_begin(type);
	write_u32(&w, id);
	channel_end(&w);
}

/* Closes it in such a way that the program reads end-of-file, however much of what it sent was not read. */
static void finish(struct stream *s)
{
	static uint8_t dropped[65536];
	shutdown(s->fd, SHUT_RDWR);
	while (recv(s->fd, dropped, sizeof dropped, MSG_DONTWAIT) > 0)
		continue;
	close(s->fd);
	report(FRAME_CLOSED, s->id);
	free(s->buffer);
	memset(s, 0, sizeof *s);
}

/* The host's requests. */

void stream_called(int fd, const char *service)
{
	struct stream *s = find_free(0, LIMIT_OPEN_CALLS);
	if (s == NULL || next_call > UINT32_MAX - 2 || !begin(s, next_call, fd)) {
		close(fd);
		return;
	}
	next_call += 2;
	struct writer w = channel_begin(FRAME_CALL);
	write_u32(&w, s->id);
	write_text(&w, service, LIMIT_SERVICE_NAME_BYTES);
	channel_end(&w);
}

/* A connected descriptor, or -1 and errno. A Unix socket connects at once or never. */
static int connect_to(const struct request *request)
{
	const char *path = request->connect.path;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static const char *open_stream(const struct request *request, int (*open_fd)(const struct request *))
{
	if ((request->id & 1) != 0 || request->id <= last_connection)
		return "connect: an id that is not new";
	last_connection = request->id;
	struct stream *s = find_free(LIMIT_OPEN_CALLS, STREAMS_MAX_FDS);
	if (s == NULL)
		return "connect: too many at once";
	int error = 0;
	int fd = open_fd(request);
	if (fd < 0) {
		error = errno;
	} else if (!begin(s, request->id, fd)) {
		error = ENOMEM;
		close(fd);
	}
	s->is_file = error == 0 && open_fd == file_begin;
	struct writer w = channel_begin(FRAME_CONNECTED);
	write_u32(&w, request->id);
	write_u32(&w, (uint32_t)error);
	channel_end(&w);
	return NULL;
}

const char *stream_connect(const struct request *request) { return open_stream(request, connect_to); }

const char *stream_file(const struct request *request) { return open_stream(request, file_begin); }

void stream_hang_up_files(void)
{
	for (size_t i = 0; i < STREAMS_MAX_FDS; i++)
		if (streams[i].id != 0 && streams[i].is_file)
			shutdown(streams[i].fd, SHUT_RDWR);
}

const char *stream_send(const struct request *request)
{
	struct stream *s = find(request->id);
	if (s == NULL)
		return unless_closed(request->id, "send: no such stream");
	size_t size = request->chunk.size;
	if (s->end_seen)
		return "send: after its end";
	if (request->chunk.offset != s->sent)
		return "send: not the next offset";
	if (size > s->send_credit)
		return "send: more than was granted";
	s->sent += size;
	s->send_credit -= (uint32_t)size;
	if (s->send_ended)
		return NULL; /* The program reads no more; the host has been told. */
	if (s->start + s->used + size > LIMIT_STREAM_WINDOW) {
		memmove(s->buffer, s->buffer + s->start, s->used);
		s->start = 0;
	}
	memcpy(s->buffer + s->start + s->used, request->chunk.bytes, size);
	s->used += size;
	return NULL;
}

const char *stream_send_end(const struct request *request)
{
	struct stream *s = find(request->id);
	if (s == NULL)
		return unless_closed(request->id, "send-end: no such stream");
	if (s->end_seen)
		return "send-end: after its end";
	if (request->chunk.offset != s->sent)
		return "send-end: not the number of bytes sent";
	s->end_seen = true;
	return NULL;
}

const char *stream_receive_credit(const struct request *request)
{
	struct stream *s = find(request->id);
	if (s == NULL)
		return unless_closed(request->id, "receive-credit: no such stream");
	if (s->stop_seen)
		return "receive-credit: after receive-stop";
	if (request->credit > LIMIT_STREAM_WINDOW - s->receive_credit)
		return "receive-credit: too much at once";
	s->receive_credit += request->credit;
	return NULL;
}

static void end_receive(struct stream *s)
{
	s->receive_ended = true;
	struct writer w = channel_begin(FRAME_RECEIVED_END);
	write_u32(&w, s->id);
	write_u64(&w, s->received);
	channel_end(&w);
}

const char *stream_receive_stop(uint32_t id)
{
	struct stream *s = find(id);
	if (s == NULL)
		return unless_closed(id, "receive-stop: no such stream");
	if (s->stop_seen)
		return "receive-stop: a second time";
	s->stop_seen = true;
	/* From now on the program's writes fail with EPIPE. */
	shutdown(s->fd, SHUT_RD);
	if (!s->receive_ended)
		end_receive(s);
	return NULL;
}

const char *stream_reset(uint32_t id)
{
	struct stream *s = find(id);
	if (s == NULL)
		return unless_closed(id, "reset: no such stream");
	finish(s);
	return NULL;
}

/* Life. */

static void close_send(struct stream *s)
{
	s->send_ended = true;
	s->used = 0;
	report(FRAME_SEND_CLOSED, s->id);
}

static bool nothing_is_queued(int fd)
{
	int held = 0;
	return ioctl(fd, FIONREAD, &held) == 0 && held == 0;
}

static void step_receive(struct stream *s, bool readable)
{
	static uint8_t chunk[LIMIT_CHUNK_BYTES];
	if (s->receive_ended)
		return;
	if (s->receive_credit == 0 || !channel_takes_output()) {
		/* Nothing may be read, but that nothing will ever come can still be seen. */
		if (s->hung_up && nothing_is_queued(s->fd))
			end_receive(s);
		return;
	}
	if (!readable)
		return;
	size_t most = s->receive_credit < sizeof chunk ? s->receive_credit : sizeof chunk;
	ssize_t got = read(s->fd, chunk, most);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		end_receive(s);
		return;
	}
	struct writer w = channel_begin(FRAME_RECEIVED);
	write_u32(&w, s->id);
	write_u64(&w, s->received);
	write_bytes(&w, chunk, (size_t)got);
	channel_end(&w);
	s->received += (uint64_t)got;
	s->receive_credit -= (uint32_t)got;
}

static void step_send(struct stream *s)
{
	if (s->send_ended)
		return;
	if (s->used > 0) {
		ssize_t put = send(s->fd, s->buffer + s->start, s->used, MSG_NOSIGNAL);
		if (put < 0 && errno != EAGAIN && errno != EINTR) {
			close_send(s);
			return;
		}
		if (put > 0) {
			s->used -= (size_t)put;
			s->start = s->used == 0 ? 0 : s->start + (size_t)put;
			s->ungranted += (uint32_t)put;
		}
	}
	if (s->used == 0 && s->end_seen) {
		shutdown(s->fd, SHUT_WR);
		s->send_ended = true;
		return;
	}
	/* In large steps: what is not granted yet is less than half, so the host can always send. */
	if (!s->end_seen && s->ungranted >= LIMIT_STREAM_WINDOW / 2) {
		struct writer w = channel_begin(FRAME_SEND_CREDIT);
		write_u32(&w, s->id);
		write_u32(&w, s->ungranted);
		channel_end(&w);
		s->send_credit += s->ungranted;
		s->ungranted = 0;
	}
}

static void step(struct stream *s)
{
	short events = s->polled == NULL ? 0 : s->polled->revents;
	s->polled = NULL;
	if ((events & (POLLHUP | POLLERR)) != 0) {
		s->hung_up = true;
		if (!s->send_ended)
			close_send(s);
	}
	step_receive(s, events != 0);
	step_send(s);
	if (s->receive_ended && s->send_ended)
		finish(s);
}

void streams_step(void)
{
	for (size_t i = 0; i < STREAMS_MAX_FDS; i++)
		if (streams[i].id != 0)
			step(&streams[i]);
}

size_t streams_poll(struct pollfd *set, size_t count)
{
	for (size_t i = 0; i < STREAMS_MAX_FDS; i++) {
		struct stream *s = &streams[i];
		short events = 0;
		if (s->id == 0)
			continue;
		if (!s->receive_ended && s->receive_credit > 0 && channel_takes_output())
			events |= POLLIN;
		if (!s->send_ended && s->used > 0)
			events |= POLLOUT;
		/* With nothing to do it is still watched for its end, which poll would tell again and again. */
		if (events == 0 && s->hung_up)
			continue;
		set[count] = (struct pollfd){.fd = s->fd, .events = events};
		s->polled = &set[count++];
	}
	return count;
}
