/* The protocol's states: first the versions are settled, then requests are served. */
#ifndef SPECTRUM_SESSION_H
#define SPECTRUM_SESSION_H

/* The unit's first words. */
void session_hello(void);
/* Serves every whole frame that has arrived. Gives up when the host breaks the protocol. */
void session_serve(void);

#endif
