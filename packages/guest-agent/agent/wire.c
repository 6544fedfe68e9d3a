#include "wire.h"

#include <string.h>

const uint8_t *read_bytes(struct reader *r, size_t size)
{
	if (r->bad || size > r->left) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *here = r->at;
	r->at += size;
	r->left -= size;
	return here;
}

static uint64_t read_number(struct reader *r, size_t size)
{
	const uint8_t *bytes = read_bytes(r, size);
	uint64_t value = 0;
	for (size_t i = 0; bytes != NULL && i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

uint8_t read_u8(struct reader *r) { return (uint8_t)read_number(r, 1); }
uint16_t read_u16(struct reader *r) { return (uint16_t)read_number(r, 2); }
uint32_t read_u32(struct reader *r) { return (uint32_t)read_number(r, 4); }
uint64_t read_u64(struct reader *r) { return read_number(r, 8); }

void write_bytes(struct writer *w, const void *bytes, size_t size)
{
	if (w->bad || size > w->left) {
		w->bad = true;
		return;
	}
	if (size > 0)
		memcpy(w->at, bytes, size);
	w->at += size;
	w->left -= size;
}

static void write_number(struct writer *w, uint64_t value, size_t size)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	write_bytes(w, bytes, size);
}

void write_u8(struct writer *w, uint8_t value) { write_number(w, value, 1); }
void write_u16(struct writer *w, uint16_t value) { write_number(w, value, 2); }
void write_u32(struct writer *w, uint32_t value) { write_number(w, value, 4); }
void write_u64(struct writer *w, uint64_t value) { write_number(w, value, 8); }

void write_text(struct writer *w, const char *text, size_t max)
{
	size_t length = strnlen(text, max);
	write_u16(w, (uint16_t)length);
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = (uint8_t)text[i];
		write_u8(w, byte >= 0x20 && byte < 0x7f ? byte : (uint8_t)'?');
	}
}
