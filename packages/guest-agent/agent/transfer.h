/* What a process does that puts or gets one file. */
#ifndef SPECTRUM_TRANSFER_H
#define SPECTRUM_TRANSFER_H

#include "request.h"

/*
 * Serves the request on the socket and ends the process. To get: a result, then as many bytes as it says. To put: as
 * many bytes as the request says, an end, then a result. A socket that is closed before that end cancels it.
 */
__attribute__((noreturn)) void transfer(const struct request *request, int socket);

#endif
