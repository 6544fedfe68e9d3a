#include "wayland.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t newest = DISPLAY;

static uint32_t words[1024];
static unsigned word_count;

/* What has come and was no whole message yet, and what came with it. */
static struct arrivals arrivals;

/* Two machines may stand around this one, of which the outer is emulated. */
enum { END_MS = 120000 };
static int refused;

uint32_t new_object(void) { return ++newest; }

void begin(uint32_t object, uint32_t opcode)
{
	words[0] = object;
	words[1] = opcode;
	word_count = 2;
}

void word(uint32_t value) { words[word_count++] = value; }

void string(const char *text)
{
	uint32_t length = (uint32_t)strlen(text) + 1;

	word(length);
	words[word_count + length / 4] = 0;
	memcpy(&words[word_count], text, length);
	word_count += (length + 3) / 4;
}

void end_with(const struct memory *memory)
{
	words[1] |= word_count * 4 << 16;
	say_bytes(words, word_count * 4, memory ? &memory->resource : NULL, memory != NULL);
}

void end(void) { end_with(NULL); }

void request(uint32_t object, uint32_t opcode, int count, ...)
{
	va_list arguments;

	begin(object, opcode);
	va_start(arguments, count);
	while (count-- > 0)
		word(va_arg(arguments, uint32_t));
	va_end(arguments);
	end();
}

/* The next event, if a whole one is there. */
static int next(struct event *event)
{
	static uint32_t current[1024];
	uint32_t size;

	if (arrivals.size < 8)
		return 0;
	memcpy(current, arrivals.bytes, 8);
	size = current[1] >> 16;
	if (size < 8 || size > sizeof(current) || arrivals.size < size)
		return 0;
	memcpy(current, arrivals.bytes, size);
	arrivals.size -= size;
	memmove(arrivals.bytes, arrivals.bytes + size, arrivals.size);
	*event = (struct event){ current[0], current[1] & 0xffff, current + 2 };
	return 1;
}

/*
 * After an error nothing but the connection's end can come. A bridge that serves several clients hears of it from the channel
 * alone: crosvm says so when it reads an end, but if it reads an error (ECONNRESET: the other side has closed with something of
 * ours unread) it ends the thread of the channel, and the guest hears nothing any more.
 */
static void error(const struct event *event)
{
	printf("error %u %u %s\n", event->arguments[0], event->arguments[1], (const char *)&event->arguments[3]);
	refused = 1;
}

/* Every event that is here, or those before the first one of `last`: 1 when that has come. */
static int dispatch(listener *each, uint32_t last)
{
	struct event event;

	while (next(&event)) {
		if (event.object == last)
			return 1;
		if (event.object == DISPLAY && event.opcode == 0)
			error(&event);
		else
			each(&event);
	}
	if (arrivals.closed) {
		printf("closed\n");
		exit(0);
	}
	return 0;
}

/* For more; 0 when standard input has something instead. */
static int await(int also_input)
{
	if (!refused)
		return hear(&arrivals, also_input, -1);
	if (hear(&arrivals, 0, END_MS))
		return 1;
	printf("failed: refused, and within %d ms not told of the end\n", END_MS);
	exit(1);
}

void round_trip(listener *each)
{
	uint32_t answer = new_object();

	request(DISPLAY, 0, 1, answer);
	while (!dispatch(each, answer))
		await(0);
}

int listen_for(listener *each)
{
	dispatch(each, 0);
	return await(1);
}

int take_thing(enum thing_kind kind, uint32_t *id)
{
	if (arrivals.thing_count != 1 || arrivals.things[0].kind != kind)
		return 0;
	*id = arrivals.things[0].id;
	arrivals.thing_count = 0;
	return 1;
}
