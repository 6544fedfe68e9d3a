import { rm } from 'node:fs/promises'
import { unixFd } from '@spectrum/unix-fd/linux'
import { proxyProgram } from '@spectrum/wayland-proxy/linux'
import type { Result } from 'neverthrow'
import type { DisplayMachine } from '../display/display-service.js'

/** Why windows cannot be displayed here at all: the native part of unix-fd is not built for this machine. */
export interface NoDisplay {
  readonly kind: 'native-missing'
  /** What is missing and how to get it. */
  readonly message: string
}

/** What of this machine a display is made of. Nothing is started by it. */
export function linuxDisplayMachine(): Result<DisplayMachine, NoDisplay> {
  return unixFd()
    .map((descriptors) => ({
      connect: (path: string) => descriptors.connect(path, 'stream'),
      removeFile: (path: string) => rm(path, { force: true }),
      program: proxyProgram(),
    }))
    .mapErr(({ message }) => ({ kind: 'native-missing', message }))
}
