import { Buffer } from 'node:buffer'
import type { ByteString } from './powers.js'
import { quote } from './quote.js'

/** A path of this program's own, in UTF-8, as the kernel has it. */
export function toByteString(path: string): ByteString {
  return Buffer.from(path, 'utf8').toString('latin1')
}

/** For people to read: what is not UTF-8 becomes a replacement character. */
export function showBytes(path: ByteString): string {
  return Buffer.from(path, 'latin1').toString('utf8')
}

export function quoteBytes(path: ByteString): string {
  return quote(showBytes(path))
}
