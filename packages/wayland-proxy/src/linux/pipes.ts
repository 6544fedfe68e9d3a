import { constants, openSync, readSync, writeSync } from 'node:fs'
import type { Fd, UnixFd, UnixFdError } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { PipePowers } from '../relay/unit-context.js'
import { codeOf } from './errno.js'

/** Pipes of this machine. */
export function linuxPipes(descriptors: UnixFd): PipePowers {
  /** Whether an end blocks belongs to the opened file, which a passed descriptor shares: open it anew. */
  const reopened = (fd: Fd, flags: number): Result<Fd, UnixFdError> => {
    try {
      return ok(descriptors.adopt(openSync(`/proc/self/fd/${fd.number}`, flags | constants.O_NONBLOCK)))
    } catch (failure) {
      const code = codeOf(failure)
      return err({ kind: 'system', call: 'open', code, message: `the pipe cannot be opened anew (${code})` })
    } finally {
      fd.close()
    }
  }
  return {
    open: () =>
      descriptors.createPipe().andThen(({ reader, writer }) => {
        const ours = reopened(reader, constants.O_RDONLY)
        if (ours.isErr()) {
          writer.close()
          return err(ours.error)
        }
        return ok({ reader: ours.value, writer })
      }),
    forWriting: (fd) => reopened(fd, constants.O_WRONLY),
    read: (fd, bytes) => attempt(() => readSync(fd.number, bytes)),
    write: (fd, bytes) => attempt(() => writeSync(fd.number, bytes)),
  }
}

function attempt(call: () => number): number | 'again' | 'failed' {
  try {
    return call()
  } catch (failure) {
    const code = codeOf(failure)
    return code === 'EAGAIN' || code === 'EINTR' ? 'again' : 'failed'
  }
}
