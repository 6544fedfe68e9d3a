import { readlinkSync, readSync } from 'node:fs'
import type { Fd, Memfd, UnixFd, UnixFdError } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { CrossDomainPowers } from '../transport/cross-domain.js'
import { codeOf } from './errno.js'

const PIECE = 64 * 1024

/** How descriptors of this machine are told apart and copied. */
export function linuxCrossDomainPowers(descriptors: UnixFd): CrossDomainPowers {
  return {
    inspect: (fd) => descriptors.inspect(fd),
    target: (fd) => readlinkSync(`/proc/self/fd/${fd.number}`),
    copy: (fd, bytes) => copy(descriptors, fd, bytes),
  }
}

function copy(descriptors: UnixFd, fd: Fd, bytes: number): Result<Fd, UnixFdError> {
  return descriptors.createMemfd('copy').andThen((memfd) =>
    fill(memfd, fd, bytes)
      .andThen(() => memfd.resize(bytes))
      .andThen(() => memfd.addSeals('shrink', 'grow', 'seal'))
      .map(() => memfd.fd)
      .mapErr((error) => {
        memfd.close()
        return error
      }),
  )
}

function fill(memfd: Memfd, fd: Fd, bytes: number): Result<void, UnixFdError> {
  const piece = new Uint8Array(PIECE)
  for (let position = 0; position < bytes; ) {
    let read: number
    try {
      read = readSync(fd.number, piece, 0, Math.min(PIECE, bytes - position), position)
    } catch (failure) {
      const code = codeOf(failure)
      return err({ kind: 'system', call: 'read', code, message: `a file that cannot be read (${code})` })
    }
    // A file that has become shorter: the rest is zero, as a mapping's would not be.
    if (read === 0) break
    const written = memfd.write(piece.subarray(0, read))
    if (written.isErr()) return err(written.error)
    position += read
  }
  return ok()
}

/** Of a fixed size. Not sealed against writing: compositors map what they get for both. */
export function sealedMemory(descriptors: UnixFd, content: Uint8Array): Result<Fd, UnixFdError> {
  return descriptors.createMemfd('frame').andThen((memfd) =>
    memfd
      .write(content)
      .andThen(() => memfd.addSeals('shrink', 'grow', 'seal'))
      .map(() => memfd.fd)
      .mapErr((error) => {
        memfd.close()
        return error
      }),
  )
}
