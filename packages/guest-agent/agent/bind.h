/* Entries of a mounted image or view made visible under /nix/store. */
#ifndef SPECTRUM_BIND_H
#define SPECTRUM_BIND_H

#include "trouble.h"

#include <stddef.h>

#define STORE "/nix/store"

/* Whether this is the base name of a store path: HASH-NAME, in Nix's alphabets. */
bool is_store_name(const char *name);

/* Makes /nix/store: shared, read-only for everybody who comes by its path. */
bool bind_open(void);
/* Not so in a test build, which is an ordinary process and must mount nothing. */
bool bind_is_open(void);

/*
 * Binds names[i] from the directory `source`; sets bit i of `bound` for what was not there before. On failure
 * nothing that this call bound is left.
 */
bool bind_names(const char *source, char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *bound,
                struct trouble *why);

/*
 * Takes names[i] away; sets bit i of `removed` for what was there. On failure all that was there is there again.
 * What is in use stays with those who use it, until they let it go.
 */
bool unbind_names(char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *removed, struct trouble *why);

/* One bit per name, lowest first. */
void set_bit(uint8_t *bits, size_t index);
bool get_bit(const uint8_t *bits, size_t index);

#endif
