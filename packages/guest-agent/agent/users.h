/* Which processes still use store paths that are about to go. */
#ifndef SPECTRUM_USERS_H
#define SPECTRUM_USERS_H

#include "protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Looks at every process's program, directories, open files and mappings. Sets bit i of `used` for each of the
 * names that some process uses, and counts those processes. Bounded: what a unit hides behind more processes than
 * that is not found. False, with errno, when it could not look: nobody is not the same as not known.
 */
bool find_users(char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *used, uint32_t *processes);

#endif
