import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  checkPolicy,
  formatListing,
  formatNarInfo,
  formatPolicy,
  formatRegistration,
  NarLister,
  NarReader,
  parseCacheInfo,
  parseListing,
  parseNarInfo,
  parsePolicy,
  parseReferencesGraph,
  parseRegistration,
  readPathInfo,
} from '../../src/index.js'
import { directory, file, plainNar, symlink } from '../memory-store.js'
import { builder, policy } from '../trust/claims.js'

// Damages good inputs at random, for a short time in the ordinary tests: FUZZ_SECONDS=600 for longer, FUZZ_SEED=…
// to repeat a run. A parser passes when it never throws, and when what it takes is written and read the same.
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 1)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32)

/** xorshift32: small, and the same everywhere. */
class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }
  below(limit: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % limit
  }
}

const INTERESTING = [
  0, 1, 2, 7, 8, 0x0a, 0x20, 0x22, 0x28, 0x29, 0x2f, 0x3a, 0x5b, 0x5c, 0x7b, 0x7f, 0x80, 0xff,
]

function damage(input: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(input)
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(bytes.length + 1)
    const length = random.below(random.below(4) === 0 ? 200 : 9)
    switch (random.below(6)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << random.below(8)
        break
      case 1:
        if (at < bytes.length) bytes[at] = INTERESTING[random.below(INTERESTING.length)]!
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 3: {
        const from = random.below(bytes.length + 1)
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          bytes.subarray(from, from + length),
          bytes.subarray(at),
        ])
        break
      }
      case 4: {
        const inserted = Buffer.from(
          Array.from({ length }, () => INTERESTING[random.below(INTERESTING.length)]!),
        )
        bytes = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)])
        break
      }
      default:
        bytes = bytes.subarray(0, at)
    }
  }
  return bytes
}

const nar = plainNar(
  directory({ a: file('abc', true), b: directory({ c: file(''), d: symlink('../a') }), e: file('12345678') }),
)
const digest = '0123456789abcdfghijklmnpqrsvwxyz'
const narInfo = `StorePath: /nix/store/${digest}-x\nURL: nar/x.nar.xz\nCompression: xz\nFileHash: sha256:${'0'.repeat(52)}\nFileSize: 9\nNarHash: sha256:${'0'.repeat(52)}\nNarSize: 120\nReferences: ${digest}-x ${digest}-y\nDeriver: ${digest}-x.drv\nSig: a-1:AAAA\nCA: fixed:r:sha256:${'0'.repeat(52)}\n`
const registration = `/nix/store/${digest}-x\n${'ab'.repeat(32)}\n120\n/nix/store/${digest}-x.drv\n1\n/nix/store/${digest}-y\n`
const listing =
  '{"version":1,"root":{"type":"directory","entries":{"a":{"type":"regular","size":3,"executable":true,"narOffset":400},"b":{"type":"symlink","target":"a"}}}}'
const pathInfo = JSON.stringify({
  version: 2,
  storeDir: '/nix/store',
  info: {
    [`${digest}-x`]: {
      narHash: `sha256-${'A'.repeat(43)}=`,
      narSize: 120,
      references: [`${digest}-y`],
      ca: { method: 'nar', hash: `sha256-${'A'.repeat(43)}=` },
      signatures: [{ keyName: 'a', sig: 'AAAA' }, 'a:AAAA'],
      deriver: null,
    },
  },
})

/** For each format a good input, and what must hold for any other. Returns whether it was taken. */
const formats: Record<string, readonly [string | Buffer, (input: Buffer, random: Random) => boolean]> = {
  NAR: [
    nar,
    (input, random) => {
      const reader = new NarReader({ maxBytes: 1 << 20 })
      const chunkBytes = 1 + random.below(64)
      const lister = new NarLister()
      const files: Buffer[] = []
      for (let at = 0; at < input.length; at += chunkBytes) {
        for (const event of reader.push(input.subarray(at, at + chunkBytes))) {
          lister.see(event)
          if (event.kind === 'contents') files.push(Buffer.from(event.bytes))
        }
      }
      const end = reader.finish()
      if (end.isErr()) {
        expect(end.error.offset).toBeGreaterThanOrEqual(0)
        expect(end.error.offset).toBeLessThanOrEqual(input.length)
        return false
      }
      expect(end.value.sizeBytes).toBe(input.length)
      const contents = Buffer.concat(files)
      let taken = 0
      const rebuild = (node: NonNullable<typeof lister.root>): ReturnType<typeof directory> => {
        if (node.kind === 'symlink') return symlink(node.target)
        if (node.kind === 'file') {
          taken += node.sizeBytes
          return file(contents.subarray(taken - node.sizeBytes, taken), node.executable)
        }
        const entries: ReturnType<typeof directory> = directory({})
        for (const { name, node: child } of node.entries) {
          Object.defineProperty((entries as { entries: object }).entries, name, {
            value: rebuild(child),
            enumerable: true,
          })
        }
        return entries
      }
      expect(plainNar(rebuild(lister.root!)).equals(input)).toBe(true)
      return true
    },
  ],
  narinfo: [
    narInfo,
    (input) => {
      const parsed = parseNarInfo(input)
      if (parsed.isOk())
        expect(parseNarInfo(formatNarInfo(parsed.value))._unsafeUnwrap()).toEqual(parsed.value)
      return parsed.isOk()
    },
  ],
  'registration text': [
    registration.repeat(2),
    (input) => {
      const parsed = parseRegistration(input)
      if (parsed.isOk())
        expect(parseRegistration(formatRegistration(parsed.value))._unsafeUnwrap()).toEqual(parsed.value)
      parseReferencesGraph(input)
      return parsed.isOk()
    },
  ],
  'policy JSON': [
    formatPolicy(
      policy({ builders: [builder('alpha', undefined, { notBefore: 0, notAfter: 9 }), builder('beta')] }),
    ),
    (input) => {
      const parsed = parsePolicy(input)
      if (parsed.isErr()) return false
      expect(checkPolicy(parsed.value).isOk()).toBe(true)
      expect(parsePolicy(formatPolicy(parsed.value))._unsafeUnwrap()).toEqual(parsed.value)
      return true
    },
  ],
  'NAR listing': [
    listing,
    (input) => {
      const parsed = parseListing(input)
      if (parsed.isErr()) return false
      expect(parseListing(formatListing(parsed.value)._unsafeUnwrap())._unsafeUnwrap()).toEqual(parsed.value)
      return true
    },
  ],
  'path info': [pathInfo, (input) => readPathInfo(input).kind === 'paths'],
  'nix-cache-info': [
    'StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n',
    (input) => parseCacheInfo(input).isOk(),
  ],
}

describe(`a parser of what others wrote (seed ${SEED})`, () => {
  it.each(Object.entries(formats))(
    'of %s refuses or takes everything, and throws at nothing',
    (_, [good, check]) => {
      const input = Buffer.from(good as string)
      const random = new Random(SEED)
      expect(check(input, random)).toBe(true)
      const end = performance.now() + (SECONDS * 1000) / Object.keys(formats).length
      let refused = 0
      while (performance.now() < end || refused === 0) {
        const damaged = damage(input, random)
        try {
          if (!check(damaged, random)) refused++
        } catch (thrown) {
          throw new Error(`seed ${SEED}, input (base 64): ${damaged.toString('base64')}`, { cause: thrown })
        }
      }
    },
    SECONDS * 1000 + 60_000,
  )
})
