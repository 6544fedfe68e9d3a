/*
 * The channel of a cross-domain context of the unit's virtio-gpu: what goes into it comes out of a connection that crosvm
 * has to the host's Wayland socket. A program has one. What it cannot do ends it, with a line that begins with `failed`.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Of which the host has a descriptor, too. `stride`: bytes of a row, where it is for an image. */
struct memory { uint32_t resource, handle, stride; uint64_t size; };

/* What came beside the bytes, in place of a descriptor. */
enum thing_kind { A_MEMORY = 1, A_PIPE_TO_WRITE = 4 };
struct thing { uint32_t id, kind; };

/* All that came and that nobody has taken out of here. */
struct arrivals {
	uint8_t bytes[1 << 16];
	size_t size;
	struct thing things[64];
	unsigned thing_count;
	int closed;
};

struct offer { uint32_t version, channels; };
struct offer open_channel(void);

/* `size`: what the host has said of it. */
struct memory open_memory(uint32_t id, uint64_t size);
/* For an image with 32 bits for each pixel. */
struct memory allocate_image(uint32_t width, uint32_t height);
void *map_memory(const struct memory *memory, int access);

/* What goes in one piece, with memory for its descriptors, by resource. */
void say_bytes(const void *data, uint32_t size, const uint32_t *resources, unsigned count);
/* With pieces of zeros behind them, by one command: they are on their way before the bytes have been judged. */
enum { PIECE = 32 * 1024 };
void say_bytes_and_zeros(const void *data, uint32_t size, unsigned pieces);
void write_and_close_pipe(uint32_t id, const void *data, uint32_t size);
/* Waits for one message, for ever if `milliseconds` is -1; 0 when standard input has something instead, or at the deadline. */
int hear(struct arrivals *arrivals, int also_input, int milliseconds);
