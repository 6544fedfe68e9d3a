/* SHA-256 as FIPS 180-4 defines it, enough for a test program that may link nothing. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
    size_t used;
};

void sha256_start(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t count);
void sha256_finish(struct sha256 *hash, char hex[65]);
