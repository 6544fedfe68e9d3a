import type { Fd, Inbox, UnixSocket } from '@spectrum/unix-fd'

// The two ends of an echo, as a program that cares for speed writes them, and with promises.

export const MOST_FDS = 28
export const ROOM = { maxBytes: 64 * 1024, maxFds: MOST_FDS }
/** Few at a time, so that the other end has something to do meanwhile. */
export const INBOX_ROOM = { ...ROOM, maxMessages: 8 }

/** How many messages one end takes before it lets the rest of its program run, and what came with the last. */
const MOST_PER_TURN = 256
const mayTakeMore = (taken: number, inbox: Inbox) => taken < MOST_PER_TURN || inbox.waiting > 0

export interface Load {
  readonly messages: number
  /** How many messages may be on their way at once. */
  readonly window: number
  readonly payload: Uint8Array
  readonly fds: readonly Fd[]
}

/** Sends every message back with the descriptors that came with it, until the peer closes. */
export function echo(socket: UnixSocket, inbox: Inbox): void {
  socket.fd.patient = true
  let unanswered = false
  const answer = (): boolean => {
    const sent = socket.trySend(inbox.bytes, inbox)._unsafeUnwrap()
    unanswered = sent === 0
    return !unanswered
  }
  socket.fd
    .onReady('readable', () => {
      if (unanswered && !answer()) return
      for (let taken = 0; mayTakeMore(taken, inbox); taken++) {
        const found = socket.tryReceive(inbox)._unsafeUnwrap()
        if (found === 'empty') break
        if (found === 'end') return socket.close()
        if (!answer()) break
      }
      // Before the loop waits again, the sender's descriptors that came last have to go.
      if (!unanswered) inbox.closeFds()
    })
    ._unsafeUnwrap()
}

/** Resolves with the nanoseconds from the first message to the last answer. */
export function talk(socket: UnixSocket, inbox: Inbox, load: Load): Promise<number> {
  const { messages, window, payload, fds } = load
  let sent = 0
  let answered = 0
  socket.fd.patient = true
  const send = () => {
    while (sent < messages && sent - answered < window) {
      if (socket.trySend(payload, fds)._unsafeUnwrap() === 0) return
      sent += 1
    }
  }
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint()
    const watch = socket.fd
      .onReady('readable', () => {
        for (let taken = 0; mayTakeMore(taken, inbox); taken++) {
          const found = socket.tryReceive(inbox)._unsafeUnwrap()
          if (found === 'empty') return
          if (found === 'end' || inbox.length !== payload.length || inbox.fdCount !== fds.length) {
            return reject(new Error('a wrong answer'))
          }
          answered += 1
          if (answered === messages) {
            inbox.closeFds()
            watch.close()
            return resolve(Number(process.hrtime.bigint() - start))
          }
          send()
        }
      })
      ._unsafeUnwrap()
    send()
  })
}

/** The same with `send` and `receive`, one message after the other. */
export async function echoWithPromises(socket: UnixSocket, signal: AbortSignal): Promise<void> {
  socket.fd.patient = true
  for (;;) {
    const received = (await socket.receive({ ...ROOM, signal }))._unsafeUnwrap()
    if (received.kind === 'end') return socket.close()
    const { bytes, fds } = received
    ;(await socket.send(bytes, { fds, signal }))._unsafeUnwrap()
    for (const fd of fds) fd.close()
  }
}

export async function talkWithPromises(socket: UnixSocket, load: Load, signal: AbortSignal): Promise<number> {
  const { messages, window, payload, fds } = load
  let sent = 0
  socket.fd.patient = true
  const start = process.hrtime.bigint()
  for (let answered = 0; answered < messages; answered++) {
    for (; sent < messages && sent - answered < window; sent++) {
      ;(await socket.send(payload, { fds, signal }))._unsafeUnwrap()
    }
    const received = (await socket.receive({ ...ROOM, signal }))._unsafeUnwrap()
    if (received.kind === 'end' || received.fds.length !== fds.length) throw new Error('a wrong answer')
    for (const fd of received.fds) fd.close()
  }
  return Number(process.hrtime.bigint() - start)
}
