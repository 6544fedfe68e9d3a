#include "command-streams.h"
#include "channel.h"
#include "console.h"
#include "terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void close_once(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void report_command(uint8_t type, uint32_t id)
{
	struct writer w = channel_begin(type);
	write_u32(&w, id);
	channel_end(&w);
}

void end_output(struct command *c, size_t stream, uint8_t how)
{
	struct output *o = &c->out[stream];
	close_once(&o->fd);
	struct writer w = channel_begin(FRAME_OUTPUT_END);
	write_u32(&w, c->id);
	write_u8(&w, stream == 0 ? STREAM_STDOUT : STREAM_STDERR);
	write_u64(&w, o->offset);
	write_u8(&w, how);
	channel_end(&w);
}

void close_input(struct command *c)
{
	close_once(&c->in.fd);
	c->in.used = 0;
	if (!c->in.end_seen)
		report_command(FRAME_STDIN_CLOSED, c->id);
}

/* Whether nobody is left to add to what is held. A terminal shows that only to one who has polled it. */
static bool nobody_writes(int fd, int *held)
{
	struct pollfd p = {.fd = fd, .events = 0};
	bool nobody = poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
	if (ioctl(fd, FIONREAD, held) < 0 || *held < 0) {
		*held = 0;
		return false;
	}
	return nobody;
}

void note_owed(struct command *c)
{
	for (size_t i = 0; i < 2; i++) {
		int held = 0;
		if (c->out[i].fd >= 0) {
			nobody_writes(c->out[i].fd, &held);
			c->out[i].owed = (uint64_t)held;
		}
	}
}

static bool grace_is_over(const struct command *c) { return c->reaped && now_ms() >= c->drain_deadline; }

size_t output_allowance(const struct command *c, const struct output *o)
{
	size_t most = o->credit < LIMIT_CHUNK_BYTES ? o->credit : LIMIT_CHUNK_BYTES;
	if (grace_is_over(c) && o->owed < most)
		most = (size_t)o->owed;
	return most;
}

void step_output(struct command *c, size_t stream)
{
	struct output *o = &c->out[stream];
	if (o->fd < 0)
		return;
	if (c->reaped && c->killed) {
		end_output(c, stream, END_CUT);
		return;
	}
	size_t most = output_allowance(c, o);
	if (most == 0) {
		/* Without credit nothing may be read, but that nothing will ever come can still be seen. */
		int held = 0;
		bool last = c->reaped && nobody_writes(o->fd, &held);
		if (last && held == 0)
			end_output(c, stream, END_EOF);
		else if (last)
			o->owed = (uint64_t)held; /* A terminal shows what it holds a part at a time. */
		else if (grace_is_over(c) && o->owed == 0)
			end_output(c, stream, END_CUT);
		return;
	}
	if (!channel_takes_output())
		return;
	static uint8_t chunk[LIMIT_CHUNK_BYTES];
	ssize_t got = read(o->fd, chunk, most);
	/* A terminal that nobody is on any more says EIO. */
	if (got < 0 && !(c->terminal && errno == EIO))
		return;
	if (got <= 0) {
		end_output(c, stream, END_EOF);
		return;
	}
	struct writer w = channel_begin(FRAME_OUTPUT);
	write_u32(&w, c->id);
	write_u8(&w, stream == 0 ? STREAM_STDOUT : STREAM_STDERR);
	write_u64(&w, o->offset);
	write_bytes(&w, chunk, (size_t)got);
	channel_end(&w);
	o->offset += (uint64_t)got;
	o->credit -= (uint32_t)got;
	o->owed -= (uint64_t)got < o->owed ? (uint64_t)got : o->owed;
}

static bool reader_is_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = 0};
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

void step_input(struct command *c)
{
	struct input *in = &c->in;
	if (in->fd < 0)
		return;
	if (reader_is_gone(in->fd)) {
		close_input(c);
		return;
	}
	if (in->used > 0) {
		ssize_t put = write(in->fd, in->buffer, in->used);
		if (put < 0 && errno != EAGAIN && errno != EINTR) {
			close_input(c);
			return;
		}
		if (put > 0) {
			in->last = in->buffer[put - 1];
			in->used -= (size_t)put;
			memmove(in->buffer, in->buffer + put, in->used);
			in->ungranted += (uint32_t)put;
		}
	}
	if (in->used == 0 && in->end_seen) {
		/* Its end is typed; the terminal itself stays open for what the command prints. */
		if (c->terminal && !in->end_typed)
			in->used = terminal_end_of_input(in->fd, in->last, in->buffer);
		in->end_typed = true;
		if (in->used == 0)
			close_once(&in->fd);
		return;
	}
	/* In large steps, or when the host may be waiting for the rest. */
	if (!in->end_seen && (in->ungranted >= LIMIT_STDIN_WINDOW / 2 || (in->used == 0 && in->ungranted > 0))) {
		struct writer w = channel_begin(FRAME_STDIN_CREDIT);
		write_u32(&w, c->id);
		write_u32(&w, in->ungranted);
		channel_end(&w);
		in->credit += in->ungranted;
		in->ungranted = 0;
	}
}
