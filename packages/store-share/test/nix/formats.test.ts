import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ContentAddressHasher,
  contentAddressedPath,
  formatCacheInfo,
  formatContentAddress,
  formatHash,
  formatListing,
  formatReferencesGraph,
  formatReferencesGraphJson,
  formatRegistration,
  type HashAlgorithm,
  type HashEncoding,
  type ListedNode,
  listTree,
  makeStorePath,
  NarReader,
  type NixPathInfo,
  parseCacheInfo,
  parseContentAddress,
  parseHash,
  parseListing,
  parseReferencesGraph,
  parseRegistration,
  type Registration,
  RegistrationReader,
  readPathInfo,
  serialiseNar,
} from '../../src/index.js'
import {
  directory,
  file,
  type MemoryNode,
  memoryTree,
  plainNar,
  storePath,
  symlink,
} from '../memory-store.js'

const [a, b] = ['1', '2'].map((digit) => storePath(digit, `p${digit}`)) as [string, string]
const HEX = 'ab'.repeat(32)

describe('a hash', () => {
  const algorithms: readonly HashAlgorithm[] = ['blake3', 'md5', 'sha1', 'sha256', 'sha512']
  const encodings: readonly HashEncoding[] = ['nix32', 'hex', 'base64', 'sri']
  const hash = fc.constantFrom(...algorithms).chain((algorithm) => {
    const length = { blake3: 32, md5: 16, sha1: 20, sha256: 32, sha512: 64 }[algorithm]
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => ({ algorithm, hex: Buffer.from(bytes).toString('hex') }))
  })

  it('is read back from every encoding, with and without its prefix', () => {
    fc.assert(
      fc.property(hash, fc.constantFrom(...encodings), (value, encoding) => {
        const text = formatHash(value, encoding)
        expect(parseHash(text)._unsafeUnwrap()).toEqual(value)
        const bare = text.slice(value.algorithm.length + 1)
        if (encoding !== 'sri') expect(parseHash(bare, value.algorithm)._unsafeUnwrap()).toEqual(value)
      }),
    )
  })

  it.each([
    '',
    'sha256',
    'sha256:',
    'sha3:00',
    `sha256:${HEX.toUpperCase()}`,
    `sha256:${HEX}0`,
    `sha256-${HEX}`,
    // Base 64 of 32 bytes ends with two bits that say nothing; only zeros are read.
    `sha256-${'A'.repeat(42)}B=`,
    `sha256-${'A'.repeat(42)} =`,
    `SHA256:${HEX}`,
    `sha256:sha256:${HEX}`,
    `sha1:${HEX}`,
    `sha256:${'z'.repeat(52)}`,
    HEX,
    'x'.repeat(10_000),
  ])('is not read from %j', (text) => {
    expect(parseHash(text)._unsafeUnwrapErr()).toMatchObject({ kind: 'malformed', format: 'hash' })
  })

  it('of one kind is not taken for another', () => {
    expect(parseHash(`sha256:${HEX}`, 'sha512').isErr()).toBe(true)
  })
})

describe('a content address', () => {
  it.each([
    `text:sha256:${'0'.repeat(52)}`,
    `fixed:sha1:${'0'.repeat(32)}`,
    `fixed:r:sha512:${'0'.repeat(103)}`,
    `fixed:git:sha1:${'0'.repeat(32)}`,
  ])('is read and written: %s', (text) => {
    expect(formatContentAddress(parseContentAddress(text)._unsafeUnwrap())).toBe(text)
  })

  it.each([
    '',
    'fixed',
    'fixed:r:',
    'other:sha256:00',
    `fixed:r:sha256-${'A'.repeat(43)}=`,
    `fixed:${'0'.repeat(52)}`,
  ])('is not read from %j', (text) => {
    expect(parseContentAddress(text)._unsafeUnwrapErr().kind).toBe('malformed')
  })

  it('gives no path where Nix has none', () => {
    const given = (text: string) => parseContentAddress(text)._unsafeUnwrap()
    const refers = { references: [a], selfReference: false }
    const self = { references: [], selfReference: true }
    expect(contentAddressedPath('x', given(`fixed:sha256:${HEX}`), refers)).toBeUndefined()
    expect(contentAddressedPath('x', given(`fixed:r:sha1:${'0'.repeat(40)}`), self)).toBeUndefined()
    expect(contentAddressedPath('x', given(`text:sha256:${HEX}`), self)).toBeUndefined()
    expect(contentAddressedPath('x', given(`text:sha1:${'0'.repeat(40)}`))).toBeUndefined()
    expect(contentAddressedPath('x', given(`fixed:git:md5:${'0'.repeat(32)}`))).toBeUndefined()
  })

  it.each(['', '.', '..', '.-a', 'a/b', 'ä', 'n'.repeat(212)])('gives no path of the name %j', (name) => {
    expect(() => makeStorePath('source', { algorithm: 'sha256', hex: HEX }, name)).toThrow(RangeError)
  })

  it.each([
    ['a directory', directory({})],
    ['an executable file', file('x', true)],
    ['a link', symlink('x')],
  ])('of one file is not that of %s', (_, node) => {
    const contentAddress = parseContentAddress(
      `fixed:sha256:${createHash('sha256').update('x').digest('hex')}`,
    )._unsafeUnwrap()
    const path = contentAddressedPath('x', contentAddress)!
    const hasher = new ContentAddressHasher({ path, contentAddress, references: [], selfReference: false })
    hasher.push(plainNar(node))
    expect(hasher.finish()._unsafeUnwrapErr().kind).toBe('unsupported-file')
  })

  it('of one file is that file, and nothing of a NAR that was cut', () => {
    const contentAddress = parseContentAddress(
      `fixed:sha256:${createHash('sha256').update('x').digest('hex')}`,
    )._unsafeUnwrap()
    const path = contentAddressedPath('x', contentAddress)!
    const nar = plainNar(file('x'))
    const check = (bytes: Buffer) => {
      const hasher = new ContentAddressHasher({ path, contentAddress, references: [], selfReference: false })
      for (const byte of bytes) hasher.push(Buffer.from([byte]))
      return hasher.finish()
    }
    expect(check(nar).isOk()).toBe(true)
    expect(check(nar.subarray(0, -1)).isErr()).toBe(true)
  })

  it('of the right content under another path, or with other references, is refused', () => {
    const nar = plainNar(directory({ a: file('x') }))
    const contentAddress = parseContentAddress(
      `fixed:r:sha256:${createHash('sha256').update(nar).digest('hex')}`,
    )._unsafeUnwrap()
    const path = contentAddressedPath('x', contentAddress)!
    const check = (change: object) => {
      const info = { path, contentAddress, references: [], selfReference: false, ...change }
      const hasher = new ContentAddressHasher(info)
      hasher.push(nar)
      return hasher.finish().mapErr(({ kind }) => kind)
    }
    expect(check({}).isOk()).toBe(true)
    expect(check({ path: a })._unsafeUnwrapErr()).toBe('hash-mismatch')
    expect(check({ references: [a] })._unsafeUnwrapErr()).toBe('hash-mismatch')
  })

  it('of what is not computed here is a mistake of the program', () => {
    const contentAddress = parseContentAddress(`fixed:git:sha1:${'0'.repeat(32)}`)._unsafeUnwrap()
    expect(
      () => new ContentAddressHasher({ path: a, contentAddress, references: [], selfReference: false }),
    ).toThrow(RangeError)
  })
})

describe('nix-cache-info', () => {
  it('is read and written', () => {
    const text = 'StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n'
    expect(parseCacheInfo(text)._unsafeUnwrap()).toEqual({
      storeDirectory: '/nix/store',
      wantMassQuery: true,
      priority: 40,
    })
    expect(formatCacheInfo(parseCacheInfo(Buffer.from(text))._unsafeUnwrap())).toBe(text)
  })

  it('says what Nix assumes where it is silent, and need not end its last line', () => {
    const assumed = { storeDirectory: '/nix/store', wantMassQuery: false, priority: 50 }
    expect(parseCacheInfo('')._unsafeUnwrap()).toEqual(assumed)
    expect(parseCacheInfo('StoreDir: /nix/store')._unsafeUnwrap()).toEqual(assumed)
    expect(parseCacheInfo('Future: thing\n')._unsafeUnwrap()).toEqual(assumed)
  })

  it.each([
    ['StoreDir: store\n', 1],
    ['StoreDir: /nix/store\nPriority: high\n', 2],
    ['<html>\n', 1],
    [`X: ${'y'.repeat(100_000)}\n`, undefined],
  ])('is refused with the line: %j', (text, line) => {
    expect(parseCacheInfo(text)._unsafeUnwrapErr().line).toBe(line)
  })
})

describe('registration text', () => {
  const text = `${a}\n${HEX}\n120\n${b}\n2\n${a}\n${b}\n${b}\n${HEX}\n9\n\n0\n`

  it('is read and written', () => {
    expect(parseRegistration(text)._unsafeUnwrap()).toEqual([
      { path: a, narHash: HEX, narSize: 120, deriver: b, references: [b], selfReference: true },
      { path: b, narHash: HEX, narSize: 9, references: [], selfReference: false },
    ])
    expect(formatRegistration(parseRegistration(text)._unsafeUnwrap())).toBe(text)
    const graph = `${a}\n\n1\n${b}\n`
    expect(formatReferencesGraph(parseReferencesGraph(graph)._unsafeUnwrap())).toBe(graph)
  })

  it('is the same in chunks of any size', () => {
    for (let size = 1; size < 70; size++) {
      const reader = RegistrationReader.ofRegistration()
      const paths: Registration[] = []
      for (let at = 0; at < text.length; at += size) {
        paths.push(...reader.push(Buffer.from(text.slice(at, at + size)))._unsafeUnwrap())
      }
      expect(reader.finish().isOk()).toBe(true)
      expect(paths).toEqual(parseRegistration(text)._unsafeUnwrap())
    }
  })

  it('that is cut in the middle of a path is refused', () => {
    const whole = new Set([0, text.indexOf(`${b}\n${HEX}`)])
    for (let length = 0; length < text.length; length++) {
      expect(parseRegistration(text.slice(0, length)).isOk()).toBe(whole.has(length))
    }
  })

  it.each<[string, string, number]>([
    ['a path that is none', `/nix/store/x\n`, 1],
    ['a hash that is none', `${a}\nx\n`, 2],
    ['a size of zero', `${a}\n${HEX}\n0\n`, 3],
    ['a size that is none', `${a}\n${HEX}\n1e3\n`, 3],
    ['a deriver that is none', `${a}\n${HEX}\n1\nx\n`, 4],
    ['a number of references that is none', `${a}\n${HEX}\n1\n\n-1\n`, 5],
    ['absurdly many references', `${a}\n${HEX}\n1\n\n4294967296\n`, 5],
    ['a reference that is none', `${a}\n${HEX}\n1\n\n1\nx\n`, 6],
    ['an endless line', 'x'.repeat(300), 1],
  ])('with %s is refused, with the line', (_, input, line) => {
    expect(parseRegistration(input)._unsafeUnwrapErr()).toMatchObject({ kind: 'malformed', line })
  })

  it('that was refused stays refused', () => {
    const reader = RegistrationReader.ofRegistration()
    expect(reader.push(Buffer.from('x\n')).isErr()).toBe(true)
    expect(reader.push(Buffer.from(text)).isErr()).toBe(true)
    expect(reader.finish().isErr()).toBe(true)
  })
})

describe('path-info of every version', () => {
  const base = (path: string) => path.slice('/nix/store/'.length)
  const hash = `sha256-${Buffer.from(HEX, 'hex').toString('base64')}`
  const ca = `fixed:r:sha256:${'0'.repeat(52)}`
  const expected: NixPathInfo = {
    path: a,
    narHash: HEX,
    narSize: 120,
    references: [b],
    selfReference: true,
    signatures: [{ keyName: 'k-1', signature: 'AAAA' }],
    deriver: b,
    contentAddress: { method: 'nar', hash: { algorithm: 'sha256', hex: '00'.repeat(32) } },
    ultimate: true,
    registrationTime: 5,
  }
  const old = {
    narHash: hash,
    narSize: 120,
    references: [a, b],
    ca,
    deriver: b,
    registrationTime: 5,
    ultimate: true,
    signatures: ['k-1:AAAA'],
  }
  const structured = { method: 'nar', hash: `sha256-${'A'.repeat(43)}=` }
  const modern = {
    ...old,
    references: [base(a), base(b)],
    deriver: base(b),
    ca: structured,
    storeDir: '/nix/store',
    version: 2,
  }

  it.each([
    ['2.8', [{ path: a, ...old }]],
    ['2.19', { [a]: old }],
    ['2.33, format 1', { [a]: { ...old, version: 1, storeDir: '/nix/store' } }],
    ['2.33, format 2', { version: 2, storeDir: '/nix/store', info: { [base(a)]: modern } }],
    [
      '2.35, format 3',
      {
        version: 3,
        storeDir: '/nix/store',
        info: { [base(a)]: { ...modern, version: 3, signatures: [{ keyName: 'k-1', sig: 'AAAA' }] } },
      },
    ],
  ])('%s tells the same', (_, json) => {
    expect(readPathInfo(Buffer.from(JSON.stringify(json)))).toEqual({
      kind: 'paths',
      paths: [expected],
      invalid: [],
    })
  })

  it('from 2.23 on says null for what is not known', () => {
    const nulls = {
      narHash: hash,
      narSize: 120,
      references: [],
      ca: null,
      deriver: null,
      registrationTime: null,
      ultimate: false,
      signatures: [],
    }
    expect(readPathInfo(Buffer.from(JSON.stringify({ [a]: nulls, [b]: null })))).toEqual({
      kind: 'paths',
      paths: [{ path: a, narHash: HEX, narSize: 120, references: [], selfReference: false, signatures: [] }],
      invalid: [b],
    })
  })

  it.each([
    ['another store', { [a]: { ...old, storeDir: '/gnu/store' } }],
    ['a signature that is none', { [a]: { ...old, signatures: [7] } }],
    ['a content address that is none', { [a]: { ...old, ca: { method: 'magic', hash: structured.hash } } }],
    ['a time that is none', { [a]: { ...old, registrationTime: -1 } }],
  ])('with %s is refused', (_, json) => {
    expect(readPathInfo(Buffer.from(JSON.stringify(json))).kind).toBe('malformed')
  })

  it('of a build counts each path of a closure once', () => {
    const info = (path: string, narSize: number, references: string[]): NixPathInfo => ({
      ...expected,
      path,
      narSize,
      references,
      selfReference: false,
    })
    const [c, d] = [storePath('3', 'c'), storePath('4', 'd')]
    const list = JSON.parse(
      formatReferencesGraphJson([info(a, 1, [b, c]), info(b, 10, [d]), info(c, 100, [d]), info(d, 1000, [])]),
    ) as { closureSize: number }[]
    expect(list.map(({ closureSize }) => closureSize)).toEqual([1111, 1010, 1100, 1000])
  })
})

describe('a listing', () => {
  const listed: ListedNode = {
    kind: 'directory',
    entries: [
      { name: 'a', node: { kind: 'file', executable: true, sizeBytes: 3, narOffset: 400 } },
      { name: 'b', node: { kind: 'symlink', target: 'a' } },
    ],
  }
  const text = formatListing(listed)._unsafeUnwrap()

  it('is read back, in the order of bytes whatever its own', () => {
    expect(parseListing(text)._unsafeUnwrap()).toEqual(listed)
    const backwards = text.replace(/("a":\{[^}]*\}),("b":\{[^}]*\})/, '$2,$1')
    expect(backwards).not.toBe(text)
    expect(parseListing(backwards)._unsafeUnwrap()).toEqual(listed)
  })

  it.each<[string, string]>([
    ['a name twice', text.replace('"b":', '"a":')],
    ['the name ..', text.replace('"b":', '"..":')],
    ['a slash in a name', text.replace('"b":', '"b/c":')],
    ['a NUL in a name', text.replace('"b":', '"b\\u0000":')],
    ['an empty target', text.replace('"target":"a"', '"target":""')],
    ['an unknown type', text.replace('regular', 'fifo')],
    ['a negative size', text.replace('"size":3', '"size":-3')],
    ['a size of a half', text.replace('"size":3', '"size":3.5')],
    ['a size beyond 2^53', text.replace('"size":3', '"size":9007199254740993')],
    ['an offset that is not a multiple of 8', text.replace('400', '401')],
    ['no offset', text.replace(',"narOffset":400', '')],
    ['no entries', '{"version":1,"root":{"type":"directory"}}'],
    ['another version', text.replace('"version":1', '"version":2')],
    ['no root', '{"version":1}'],
    [
      'deep nesting',
      `{"version":1,"root":${'{"type":"directory","entries":{"d":'.repeat(100)}1${'}}'.repeat(100)}}`,
    ],
    ['half of it', text.slice(0, 50)],
  ])('with %s is refused, with the line', (_, input) => {
    expect(parseListing(input)._unsafeUnwrapErr()).toMatchObject({
      kind: 'malformed',
      format: 'NAR listing',
      line: 1,
    })
  })

  it('of a file beyond the end of the NAR is refused', () => {
    expect(parseListing(text, { narSize: 403 }).isOk()).toBe(true)
    expect(parseListing(text, { narSize: 402 })._unsafeUnwrapErr().reason).toContain('beyond')
  })
})

describe('a NAR at the edges', () => {
  it('may hold a file of more than 4 GiB', () => {
    const sizeBytes = 2 ** 32 + 5
    const [head, tail] = [plainNar(file('')).subarray(0, 88), plainNar(file('')).subarray(96)]
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(sizeBytes))
    const reader = new NarReader()
    let contents = 0
    const push = (bytes: Uint8Array) => {
      for (const event of reader.push(bytes)) if (event.kind === 'contents') contents += event.bytes.length
    }
    push(Buffer.concat([head, size]))
    const chunk = Buffer.alloc(16 << 20)
    for (let left = sizeBytes; left > 0; left -= chunk.length)
      push(chunk.subarray(0, Math.min(left, chunk.length)))
    push(Buffer.concat([Buffer.alloc(3), tail]))
    expect(reader.finish()._unsafeUnwrap()).toEqual({ sizeBytes: sizeBytes + 3 + 112 })
    expect(contents).toBe(sizeBytes)
  })

  const limit = 128 << 10
  it.each<[string, MemoryNode]>([
    [
      'files about the size that is read at once',
      directory(
        Object.fromEntries(
          [-1, 0, 1].map((more) => [`f${more}`, file(Buffer.alloc(limit + more, 'x'), more === 0)]),
        ),
      ),
    ],
    [
      'many files that fill a chunk',
      directory(
        Object.fromEntries(
          Array.from({ length: 40 }, (_, index) => [
            `f${index}`,
            file(Buffer.alloc(60_000 + index, 'x'), index % 3 === 0),
          ]),
        ),
      ),
    ],
    [
      'links without end',
      directory(
        Object.fromEntries(
          Array.from({ length: 400 }, (_, index) => [`l${index}`, symlink('t'.repeat(4000))]),
        ),
      ),
    ],
    ['one link', symlink('target')],
    ['one large file', file(Buffer.alloc((3 << 20) + 7, 'x'), true)],
    ['empty directories', directory({ a: directory({}), b: directory({ c: directory({}) }) })],
  ])('is written in chunks, whatever it holds: %s', async (_, node) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of serialiseNar(memoryTree({ '/x': node }), '/x', new AbortController().signal)) {
      expect(chunk.length).toBeGreaterThan(0)
      expect(chunk.length).toBeLessThanOrEqual(1 << 20)
      chunks.push(chunk)
    }
    expect(Buffer.concat(chunks).equals(plainNar(node))).toBe(true)
  })

  it('says in its listing where contents are', async () => {
    const node = directory({ a: file('abc'), b: directory({ c: file('', true), d: file('12345678') }) })
    const nar = plainNar(node)
    const tree = memoryTree({ '/x': node })
    const { scanTree } = await import('../../src/tree.js')
    const root = listTree(await scanTree(tree, '/x', new AbortController().signal))
    const found: string[] = []
    const visit = (listed: ListedNode) => {
      if (listed.kind === 'directory') for (const entry of listed.entries) visit(entry.node)
      if (listed.kind === 'file')
        found.push(nar.toString('latin1', listed.narOffset, listed.narOffset + listed.sizeBytes))
    }
    visit(root)
    expect(found).toEqual(['abc', '', '12345678'])
  })
})
