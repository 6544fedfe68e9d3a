/* /nix/store: a tmpfs of mount points, one per granted store path. One request about it at a time. */
#ifndef SPECTRUM_STORE_H
#define SPECTRUM_STORE_H

#include "request.h"

/* Lays the empty store. Only PID 1 calls it. */
void store_open(void);

/* Each returns NULL, or how the host broke the protocol. */
const char *store_mount(const struct request *request);
const char *store_mount_view(const struct request *request);
const char *store_unbind(const struct request *request);
const char *store_names(const struct request *request);
const char *store_cancel(uint32_t request);

/* Tries the pending request again, if there is one; `now` decides whether its time is over. */
void store_step(int64_t now);
/* Milliseconds until the next try, or -1. */
int store_timeout(int64_t now);

#endif
