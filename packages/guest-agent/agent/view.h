/* The live view: a virtio-fs device whose server shows what the host grants, while the unit runs. */
#ifndef SPECTRUM_VIEW_H
#define SPECTRUM_VIEW_H

#include "trouble.h"

#define VIEW "/run/spectrum/view"

/*
 * Mounts the device with this tag at VIEW, once. False with the trouble told; *later when the device may still
 * appear.
 */
bool mount_view(const char *tag, bool *later, struct trouble *why);

#endif
