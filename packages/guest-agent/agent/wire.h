/* Little-endian fields, read with bounds and written without surprises on any host. */
#ifndef SPECTRUM_WIRE_H
#define SPECTRUM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Once `bad` is set every further read gives zero; check it once, at the end. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
/* The next `size` bytes in place, or NULL. */
const uint8_t *read_bytes(struct reader *r, size_t size);

/* Writes into a buffer that the caller made large enough; overflow sets `bad` and writes nothing. */
struct writer {
	uint8_t *at;
	size_t left;
	bool bad;
};

void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_u64(struct writer *w, uint64_t value);
void write_bytes(struct writer *w, const void *bytes, size_t size);
/* u16 length and at most `max` bytes; anything but printable ASCII becomes '?', so it is always UTF-8. */
void write_text(struct writer *w, const char *text, size_t max);

#endif
