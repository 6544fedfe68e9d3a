/* What a file system says about a mount that it refuses. */
#ifndef SPECTRUM_CONTEXT_H
#define SPECTRUM_CONTEXT_H

#include <stddef.h>

/* Reads the first line from a context of fsopen(2) ("e erofs: ..."), or nothing. */
void read_context_message(int context, char *text, size_t size);

#endif
