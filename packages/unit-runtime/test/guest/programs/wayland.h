/*
 * Wayland's messages by the channel: requests are put together word by word, events are passed on one by one, and the
 * connection's end ends the program: `closed`, after `error OBJECT CODE TEXT` if it was refused.
 */
#pragma once
#include "channel.h"

enum { DISPLAY = 1 };

/* Objects are numbered in the order in which they are made, and none comes again. */
uint32_t new_object(void);

void begin(uint32_t object, uint32_t opcode);
void word(uint32_t value);
void string(const char *text);
void end(void);
/* With a descriptor of it. */
void end_with(const struct memory *memory);
/* One whose `count` arguments are all of one word. */
void request(uint32_t object, uint32_t opcode, int count, ...);

/* Valid until the next one. */
struct event { uint32_t object, opcode; const uint32_t *arguments; };
typedef void listener(const struct event *event);

/* Up to the answer to one `sync`. */
void round_trip(listener *each);
/* What has come is passed on, and more is waited for. 0 when standard input has something instead. */
int listen_for(listener *each);
/* What came with an event in place of its descriptor: 0 when that is not there, or something else is. */
int take_thing(enum thing_kind kind, uint32_t *id);
