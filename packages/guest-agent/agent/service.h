/* The services that programs of the unit may call: one listening socket for each name. */
#ifndef SPECTRUM_SERVICE_H
#define SPECTRUM_SERVICE_H

#include "request.h"

/* Where they are: an absolute path, which stays the caller's. */
void service_directory(const char *path);

/* Answers by itself. Returns NULL, or how the host broke the protocol. */
const char *service_offer(const struct request *request);

/* Readable when a program calls and the channel has room to say so; -1 when there is nothing to wait for. */
int service_fd(void);
/* Takes calls in. */
void service_step(void);

#endif
