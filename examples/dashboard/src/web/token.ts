import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 bits that nobody guesses, in characters that need no escape in an address. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether a header is `Bearer TOKEN`. Takes the same time whatever is wrong with it. */
export function carriesToken(header: string, token: string): boolean {
  return timingSafeEqual(digest(header), digest(`Bearer ${token}`))
}

// Of the same length, which a comparison in constant time needs.
const digest = (text: string) => createHash('sha256').update(text).digest()
