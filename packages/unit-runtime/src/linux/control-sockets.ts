import { chmodSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Listener, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import { err, ok, type Result } from 'neverthrow'
import type { ControlListener, ControlSocket } from '../control/powers.js'

const RETRY_MS = 200

/** A connected stream socket for the control protocol, which owns it from then on. */
export function controlSocket(socket: UnixSocket): ControlSocket {
  return {
    async receive(signal) {
      const received = await socket.receive({ signal })
      return received.isOk() && received.value.kind === 'data' ? received.value.bytes : undefined
    },
    async send(bytes, signal) {
      return (await socket.send(bytes, { signal })).isOk()
    },
    peerUid: () =>
      socket.peerCredentials().match(
        ({ uid }) => uid,
        () => undefined,
      ),
    finish: () => void socket.finish(),
    close: () => socket.close(),
    [Symbol.dispose]: () => socket.close(),
  }
}

/** Listens where only this user can connect. `lock`: a socket that a dead listener left behind is replaced. */
export function listenForControl(path: string, lock: boolean): Result<ControlListener, UnixFdError> {
  return unixFd()
    .andThen((descriptors) => descriptors.listen(path, 'stream', { lock }))
    .andThen((listener) => {
      try {
        chmodSync(path, 0o600)
      } catch (cause) {
        listener.close()
        const { code = 'unknown', message } = cause as NodeJS.ErrnoException
        return err<ControlListener, UnixFdError>({ kind: 'system', message, call: 'chmod', code })
      }
      return ok(controlListener(listener))
    })
}

function controlListener(listener: Listener): ControlListener {
  return {
    path: listener.path,
    async accept(signal) {
      for (;;) {
        const accepted = await listener.accept(signal)
        if (accepted.isOk()) return controlSocket(accepted.value)
        if (['closed', 'aborted', 'timed-out'].includes(accepted.error.kind)) return undefined
        // Whatever else it is may pass. Want of descriptors or memory the listener waits for by itself.
        await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
      }
    },
    close: () => listener.close(),
    [Symbol.dispose]: () => listener.close(),
  }
}

export function connectToControl(path: string): Result<ControlSocket, UnixFdError> {
  return unixFd()
    .andThen((descriptors) => descriptors.connect(path, 'stream'))
    .map(controlSocket)
}

export const turnOfTheLoop = async (): Promise<void> => {
  await nextTurn()
}
