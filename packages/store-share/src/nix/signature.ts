import { Buffer } from 'node:buffer'
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { ok, type Result } from 'neverthrow'
import { decodeBase64 } from './hash.js'
import { found, type MalformedError, malformed, type NixFormat } from './malformed.js'
import { formatNarHash } from './nar-hash.js'
import { allReferences, type NixPathInfo } from './nix-path-info.js'

/** What a signature covers: nothing of where the data is fetched, who built it or how it is compressed. */
export type SignedPathInfo = Pick<
  NixPathInfo,
  'path' | 'narHash' | 'narSize' | 'references' | 'selfReference'
>

/** The holder of a key vouches for a path. That it built it, or who built it, is not said. */
export interface Signature {
  /** Name of the key: what stands before the colon. */
  readonly keyName: string
  /** Base 64; 64 bytes, or else no key of today verifies it. */
  readonly signature: string
}

/** An ed25519 key with its name. */
export interface PublicKey {
  /** What stands before the colon. */
  readonly name: string
  /** 32 bytes in base 64: two keys are one if this is equal, whatever their names. */
  readonly key: string
}

/** Signs. Neither printed nor turned into JSON by accident: what it keeps secret is private. */
export class SecretKey {
  readonly #key: KeyObject
  /** What verifies its signatures. */
  readonly publicKey: PublicKey

  /** `seed`: 32 bytes from a good source; not kept. */
  constructor(name: string, seed: Uint8Array) {
    if (seed.length !== KEY_BYTES || !KEY_NAME.test(name)) throw new RangeError('no name or seed of a key')
    const der = Buffer.concat([PKCS8_PREFIX, seed])
    this.#key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    der.fill(0)
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' })
    this.publicKey = { name, key: spki.subarray(SPKI_PREFIX.length).toString('base64') }
  }

  /** Signs the fingerprint of a path: its name, hash, size and references. */
  sign(info: SignedPathInfo): Signature {
    const bytes = sign(null, Buffer.from(fingerprint(info)), this.#key)
    return { keyName: this.publicKey.name, signature: bytes.toString('base64') }
  }

  /** The text of a secret key file, `NAME:BASE64`: seed and public key, as Nix keeps them. */
  reveal(): string {
    const pkcs8 = this.#key.export({ format: 'der', type: 'pkcs8' })
    const both = Buffer.concat([
      pkcs8.subarray(PKCS8_PREFIX.length),
      Buffer.from(this.publicKey.key, 'base64'),
    ])
    return `${this.publicKey.name}:${both.toString('base64')}`
  }
}

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const MAX_SIGNATURE_CHARACTERS = 12_000

/** Names that every form can carry: the database separates signatures by spaces, a key from its name by `:`. */
const KEY_NAME = /^[!-9;-~]{1,255}$/

/** DER that makes raw Ed25519 keys into the forms that OpenSSL takes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * The y coordinates of the points of small order, the sign bit aside. Anybody can make signatures that such a
 * "key" verifies; zeros, a usual placeholder, are one of them. libsodium, so Nix, refuses them too.
 */
const WEAK_KEYS = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/** `NAME:BASE64` with 32 bytes; white space around it, as in a file, is nothing. */
export function parsePublicKey(text: string): Result<PublicKey, MalformedError> {
  return parseKey('public key', text, KEY_BYTES).andThen(({ name, bytes }) => {
    const y = Buffer.from(bytes)
    y[KEY_BYTES - 1]! &= 0x7f
    return WEAK_KEYS.has(y.toString('hex'))
      ? malformed('public key', `the key ${found(name)} is of small order, so anybody can sign with it`)
      : ok({ name, key: bytes.toString('base64') })
  })
}

/** `NAME:BASE64`, as Nix's settings have it. */
export function formatPublicKey({ name, key }: PublicKey): string {
  return `${name}:${key}`
}

/** The text of a secret key file: `NAME:BASE64` with 64 bytes, the seed and its public key. */
export function parseSecretKey(text: string): Result<SecretKey, MalformedError> {
  return parseKey('secret key', text, 2 * KEY_BYTES).andThen(({ name, bytes }) => {
    const secret = new SecretKey(name, bytes.subarray(0, KEY_BYTES))
    return secret.publicKey.key === bytes.subarray(KEY_BYTES).toString('base64')
      ? ok(secret)
      : malformed('secret key', `the public half of ${found(name)} does not belong to its secret half`)
  })
}

function parseKey(
  format: NixFormat,
  text: string,
  byteLength: number,
): Result<{ readonly name: string; readonly bytes: Buffer }, MalformedError> {
  const [, name = '', base64 = ''] = /^\s*([^:]*):([^\s]*)\s*$/.exec(text.slice(0, 1000)) ?? []
  const bytes = decodeBase64(base64, byteLength)
  if (text.length > 1000 || !KEY_NAME.test(name) || bytes === undefined) {
    // What it says is not repeated: it may be a secret.
    return malformed(format, `it is not NAME:BASE64 with ${byteLength} bytes`)
  }
  return ok({ name, bytes })
}

/** `NAME:BASE64`. The bytes may be of any length, for algorithms to come; only 64 of them are ever right. */
export function parseSignature(text: string): Result<Signature, MalformedError> {
  const colon = text.indexOf(':')
  const keyName = text.slice(0, Math.max(colon, 0))
  const signature = text.slice(colon + 1)
  const wellFormed = signature.length <= MAX_SIGNATURE_CHARACTERS && /^[0-9a-zA-Z+/]+={0,2}$/.test(signature)
  if (!KEY_NAME.test(keyName) || !wellFormed) {
    return malformed('signature', `${found(text)} is not KEYNAME:BASE64`)
  }
  return ok({ keyName, signature })
}

/** `NAME:BASE64`, as a narinfo has it. */
export function formatSignature({ keyName, signature }: Signature): string {
  return `${keyName}:${signature}`
}

/** The text that is signed (libstore/path-info.cc, `ValidPathInfo::fingerprint`). */
export function fingerprint(info: SignedPathInfo): string {
  const { path, narHash, narSize } = info
  return `1;${path};${formatNarHash(narHash)};${narSize};${allReferences(info).join(',')}`
}

/** Whether this key made this signature of this text. The names are not compared: keys are, by their bytes. */
export function verifySignature(text: string, { signature }: Signature, { key }: PublicKey): boolean {
  const bytes = decodeBase64(signature, SIGNATURE_BYTES)
  const raw = decodeBase64(key, KEY_BYTES)
  if (bytes === undefined || raw === undefined) return false
  const spki = Buffer.concat([SPKI_PREFIX, raw])
  return verify(null, Buffer.from(text), createPublicKey({ key: spki, format: 'der', type: 'spki' }), bytes)
}

/** As Nix does it: the signature names the key and is right for these facts. */
export function isSignedBy(info: SignedPathInfo, signature: Signature, key: PublicKey): boolean {
  return signature.keyName === key.name && verifySignature(fingerprint(info), signature, key)
}
