import type { RemoteFailure } from './requests.js'

/** Why a host could not be spoken to, or did not do what it was asked. `message` says what to do next; escape it. */
export type ControlError =
  /** Nobody listens at the absolute `path`. */
  | { readonly kind: 'not-listening'; readonly message: string; readonly path: string }
  /** The socket belongs to somebody else, or this user may not connect. */
  | { readonly kind: 'not-permitted'; readonly message: string; readonly path: string }
  /** The host sent this client away: it speaks another version, or the client did something wrong. */
  | { readonly kind: 'refused'; readonly message: string }
  /** The host has gone, with what was under way. */
  | { readonly kind: 'host-lost'; readonly message: string }
  /** What is at the other end does not keep to the protocol; the connection was closed. */
  | { readonly kind: 'protocol-violation'; readonly message: string }
  /** The host could not do it: `failure.kind` is that of its `HostError`, or `no-such-unit`. */
  | { readonly kind: 'failed'; readonly message: string; readonly failure: RemoteFailure }
  /** The host had not answered when the deadline passed. */
  | { readonly kind: 'timed-out'; readonly message: string }
  /** The caller's signal has aborted. */
  | { readonly kind: 'aborted'; readonly message: string }
  /** It was not asked: something in it is missing, too long or too much, or too much is asked at once. */
  | { readonly kind: 'invalid-request'; readonly message: string }
  /** The machine: no descriptor left, the native part is missing … */
  | { readonly kind: 'system'; readonly message: string }

export const failed = (failure: RemoteFailure): ControlError => ({
  kind: 'failed',
  message: failure.message,
  failure,
})

export const violated = (what: string): ControlError => ({
  kind: 'protocol-violation',
  message: `The host does not keep to the protocol (${what}); is it of the same release as this program?`,
})

export const hostLost: ControlError = {
  kind: 'host-lost',
  message: 'The host has gone, or closed the connection; look whether it still runs.',
}
