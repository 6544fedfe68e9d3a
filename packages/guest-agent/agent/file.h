/* Files put into the unit and got from it, each by a process of its own: a slow disk holds up nobody else. */
#ifndef SPECTRUM_FILE_H
#define SPECTRUM_FILE_H

#include "request.h"

#include <sys/types.h>

/*
 * Starts a process that serves the request on a socket; returns this end of it, or -1 with errno. The process ends
 * with its work or with the socket.
 */
int file_begin(const struct request *request);
/* Some process has been reaped. */
void file_reaped(pid_t pid);

#endif
