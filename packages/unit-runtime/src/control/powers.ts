import type { Clock } from '@spectrum/unit-monitor'

/** One end of a connected stream socket. Closing it is idempotent and ends what waits. */
export interface ControlSocket extends Disposable {
  /** The next bytes; `undefined` when the peer has finished or is gone. */
  receive(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Resolves when the kernel has them all; false when the peer is gone. Sends are carried out in order. */
  send(bytes: Uint8Array, signal: AbortSignal): Promise<boolean>
  /** Nothing more will be sent: the peer reads an end after what was. */
  finish(): void
  /** The user who made the other end, as the kernel tells it; `undefined` when it does not. */
  peerUid(): number | undefined
  /** Ends it at once, in both directions. Idempotent. */
  close(): void
}

/** Closing it removes its path and ends what waits. */
export interface ControlListener extends Disposable {
  /** Absolute path of its socket. */
  readonly path: string
  /** The next peer; `undefined` once it is closed or cannot listen any more. */
  accept(signal: AbortSignal): Promise<ControlSocket | undefined>
  /** Stops listening. Idempotent; connections that were accepted stay. */
  close(): void
}

/** What a client of a host's control socket needs of the world. */
export interface ControlPowers {
  /** Monotonic milliseconds, and deadlines. */
  readonly clock: Clock
  /** Resolves in the next turn of the event loop, so that a peer that always has something to say stops nobody. */
  nextTurn(): Promise<void>
}

/** What serving a host's control socket needs of the world. */
export interface ServePowers extends ControlPowers {
  /** Where clients connect; the server closes it. */
  readonly listener: ControlListener
  /** Milliseconds since 1970, for the moment since which a unit is in its state. */
  epochMs(): number
  /** The user, by number, who may connect beside the superuser. */
  readonly uid: number
  /** Of the program that has the host; clients are told. */
  readonly pid: number
}
