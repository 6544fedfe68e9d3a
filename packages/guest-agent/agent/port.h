/* The virtio-console port named `control`. */
#ifndef SPECTRUM_PORT_H
#define SPECTRUM_PORT_H

/* Waits until the port is there and the host holds its other end. `events` wakes; -1 is allowed. Or gives up. */
int open_control_port(int events);

#endif
