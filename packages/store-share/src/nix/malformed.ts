import { err, type Result } from 'neverthrow'
import { quote } from '../quote.js'

/** Formats of Nix that are read here. */
export type NixFormat =
  | 'NAR'
  | 'NAR listing'
  | 'narinfo'
  | 'nix-cache-info'
  | 'store path'
  | 'hash'
  | 'signature'
  | 'public key'
  | 'secret key'
  | 'content address'
  | 'registration'
  | 'path info'
  | 'Nix database'

/** Text or bytes that are not what their format says. Nothing of them may be used. */
export interface MalformedError {
  readonly kind: 'malformed'
  readonly message: string
  /** What it was read as. */
  readonly format: NixFormat
  /** Why, in words, without where; safe to print. */
  readonly reason: string
  /** Bytes from the start, for binary formats. */
  readonly offset?: number
  /** From 1, for text of lines. */
  readonly line?: number
}

type Place = { readonly offset?: number; readonly line?: number }

/** `reason` must be safe to print: quote what comes from outside. */
export function malformedError(format: NixFormat, reason: string, place: Place = {}): MalformedError {
  const where =
    place.offset !== undefined
      ? ` at byte ${place.offset}`
      : place.line !== undefined
        ? ` in line ${place.line}`
        : ''
  return {
    kind: 'malformed',
    format,
    reason,
    ...place,
    message: `The ${format} is malformed${where}: ${reason}. Fetch it again, from another source if it stays so.`,
  }
}

export function malformed(
  format: NixFormat,
  reason: string,
  place: Place = {},
): Result<never, MalformedError> {
  return err(malformedError(format, reason, place))
}

/** Short pieces of what was found instead, for a reason. */
export function found(text: string): string {
  return `\`${quote(text, 80)}\``
}
