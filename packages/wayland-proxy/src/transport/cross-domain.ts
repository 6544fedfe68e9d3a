import type { Fd, UnixFdError } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { RelayPowers } from '../relay/unit-context.js'

/** Of a file that is copied for the unit: keymaps and tables of formats have some kilobytes. */
const MOST_COPIED_BYTES = 4 * 2 ** 20

/** Turns a descriptor into one that the way to the unit can carry, or says why none can be. It owns `fd`. */
export type Carry = (fd: Fd) => Result<Fd, string>

/** A socket carries everything. */
export const carryAnything: Carry = (fd) => ok(fd)

/** What a client behind crosvm's cross-domain device needs of the world. */
export interface CrossDomainPowers {
  /** What a descriptor is, by fstat(2). */
  readonly inspect: RelayPowers['inspect']
  /** What its link in /proc names: `/memfd:…`, `/dmabuf:…`, `anon_inode:…`, or a path. */
  target(fd: Fd): string
  /** A memfd with the first `bytes` of the file, 4 MiB at most. The caller owns it, and still owns `fd`. */
  copy(fd: Fd, bytes: number): Result<Fd, UnixFdError>
}

/** Of what has no type of file, crosvm takes GPU memory and what counts events. */
const CARRIED_UNTYPED = /^(\/dmabuf:|anon_inode:\[eventfd\]$)/

/**
 * What crosvm's cross-domain context can bring into a unit: shared memory, GPU memory, an eventfd, and the writing end of a
 * pipe. Another descriptor, such as a fence, makes it give up the channel for good (rutabaga_gfx 0.1.80, `determine_type`),
 * except for a socket, which no event carries. A file of the compositor that is no memfd is copied into one.
 */
export function carryAcrossDomains(powers: CrossDomainPowers): Carry {
  const judge = (fd: Fd): Result<Fd, string> => {
    const inspected = powers.inspect(fd)
    if (inspected.isErr()) return err(inspected.error.message)
    const { type, access, size } = inspected.value
    if (type === 'pipe') return access === 'write' ? ok(fd) : err(`a pipe opened for ${access}`)
    if (type === 'anonymous') {
      return CARRIED_UNTYPED.test(powers.target(fd)) ? ok(fd) : err('neither memory nor an eventfd')
    }
    if (type !== 'file') return err(`a ${type}`)
    if (powers.target(fd).startsWith('/memfd:')) return ok(fd)
    if (size > MOST_COPIED_BYTES) return err(`a file of ${size} bytes`)
    const copied = powers.copy(fd, Number(size))
    if (copied.isErr()) return err(copied.error.message)
    fd.close()
    return ok(copied.value)
  }
  return (fd) => {
    const carried = judge(fd)
    if (carried.isErr()) fd.close()
    return carried
  }
}
