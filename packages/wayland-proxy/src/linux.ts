/**
 * The real powers of the proxy: this machine.
 *
 * @packageDocumentation
 */

import { performance } from 'node:perf_hooks'
import type { UnixFdError } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import type { Result } from 'neverthrow'
import { sealedMemory } from './linux/descriptors.js'
import { linuxPipes } from './linux/pipes.js'
import type { RelayPowers } from './relay/unit-context.js'

export { proxyProgram } from './linux/proxy-program.js'

const INBOX_BYTES = 32 * 1024
/** SCM_MAX_FD: with less room, a hostile message would look like one whose descriptors were lost. */
const INBOX_DESCRIPTORS = 253

/** This machine's clock, event loop and descriptors. `native-missing` when unix-fd is not built for it. */
export function linuxRelayPowers(): Result<RelayPowers, UnixFdError> {
  return unixFd().andThen((descriptors) =>
    descriptors.createInbox({ maxBytes: INBOX_BYTES, maxFds: INBOX_DESCRIPTORS }).map(
      (inbox): RelayPowers => ({
        clock: { now: () => performance.now() },
        soon: (callback) => {
          setImmediate(callback)
        },
        later: (milliseconds, callback) => {
          setTimeout(callback, milliseconds)
        },
        inspect: (fd) => descriptors.inspect(fd),
        pipes: linuxPipes(descriptors),
        sharedMemory: (content) => sealedMemory(descriptors, content),
        inbox,
      }),
    ),
  )
}
