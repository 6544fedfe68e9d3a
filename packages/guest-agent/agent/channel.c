#include "channel.h"
#include "console.h"
#include "protocol.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static int channel = -1;

static uint8_t in[LIMIT_FRAME_BYTES];
static size_t in_start;
static size_t in_end;

static uint8_t out[CHANNEL_CAPACITY];
static size_t out_start;
static size_t out_end;

void channel_open(int fd) { channel = fd; }

int channel_fd(void) { return channel; }

static size_t out_used(void) { return out_end - out_start; }

bool channel_takes_output(void) { return out_used() < CHANNEL_OUTPUT_MARK; }

short channel_events(void)
{
	short events = 0;
	if (out_used() < CHANNEL_REQUEST_MARK)
		events |= POLLIN;
	if (out_used() > 0)
		events |= POLLOUT;
	return events;
}

bool channel_receive(void)
{
	if (in_start > 0) {
		memmove(in, in + in_start, in_end - in_start);
		in_end -= in_start;
		in_start = 0;
	}
	if (in_end == sizeof in)
		return true;
	ssize_t got = read(channel, in + in_end, sizeof in - in_end);
	if (got > 0) {
		in_end += (size_t)got;
		return true;
	}
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

bool channel_next(const uint8_t **body, size_t *size)
{
	struct reader r = {.at = in + in_start, .left = in_end - in_start, .bad = false};
	if (r.left < 4 || out_used() >= CHANNEL_REQUEST_MARK)
		return false;
	uint32_t length = read_u32(&r);
	if (length < 1 || length > LIMIT_FRAME_BYTES - 4)
		give_up("the host broke the protocol: a frame of %u bytes", length);
	if (r.left < length)
		return false;
	*body = r.at;
	*size = length;
	in_start += 4 + (size_t)length;
	return true;
}

struct writer channel_begin(uint8_t type)
{
	if (out_start > 0 && sizeof out - out_end < LIMIT_FRAME_BYTES) {
		memmove(out, out + out_start, out_used());
		out_end -= out_start;
		out_start = 0;
	}
	struct writer w = {.at = out + out_end, .left = sizeof out - out_end, .bad = false};
	write_u32(&w, 0);
	write_u8(&w, type);
	return w;
}

void channel_end(struct writer *w)
{
	if (w->bad)
		give_up("the buffer towards the host overflowed");
	size_t size = (size_t)(w->at - (out + out_end));
	struct writer length = {.at = out + out_end, .left = 4, .bad = false};
	write_u32(&length, (uint32_t)(size - 4));
	out_end += size;
}

bool channel_flush(void)
{
	while (out_used() > 0) {
		ssize_t put = write(channel, out + out_start, out_used());
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 && errno == EAGAIN;
		out_start += (size_t)put;
	}
	out_start = 0;
	out_end = 0;
	return true;
}

void channel_drain(int milliseconds)
{
	int64_t deadline = now_ms() + milliseconds;
	while (channel_flush() && out_used() > 0 && now_ms() < deadline) {
		struct pollfd wait = {.fd = channel, .events = POLLOUT};
		poll(&wait, 1, 10);
	}
}
