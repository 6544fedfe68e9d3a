/* Entries of a mounted image made visible under /nix/store. */
#ifndef SPECTRUM_BIND_H
#define SPECTRUM_BIND_H

#include "image.h"

/* Whether this is the base name of a store path: HASH-NAME, in Nix's alphabets. */
bool is_store_name(const char *name);

/* Makes /nix/store: shared, read-only for everybody who comes by its path. */
bool bind_open(void);

/*
 * Binds names[i] from `image`; sets bit i of `bound` for what was not there before. On failure nothing that
 * this call bound is left.
 */
bool bind_names(const char *image, char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *bound,
                struct trouble *why);

#endif
