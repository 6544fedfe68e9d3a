import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatNarInfo, type NarInfo, parseNarInfo } from '../../src/index.js'

const PATH = '/nix/store/m2xf4pbrv4xma6a91j8qhbk59gjls9yr-src'
const OTHER = '0000000000000000000000000000000a-other'
const HASH = '0idlar18axa2ml50mzin0ibmp77grxyaaxhmi607dzxwqcmkdxdb'
const SIGNATURE =
  'alpha-1:TyDUllJel6zqqayzw4X0GM+tPZ5Sqe9stzvWvbUz+N1g5gAXCq9IStAeW0IQS36PUP0q/opBAgEKWDCxox/XBA=='

/** As Nix 2.8 wrote it. */
const TEXT = `StorePath: ${PATH}
URL: nar/1i4wy98k13yq60zmnf4ajg3z7kxbkz51al3q39n3n1x4s0svbbyc.nar.xz
Compression: xz
FileHash: sha256:1i4wy98k13yq60zmnf4ajg3z7kxbkz51al3q39n3n1x4s0svbbyc
FileSize: 208
NarHash: sha256:${HASH}
NarSize: 680
References: 
Sig: ${SIGNATURE}
CA: fixed:r:sha256:${HASH}
`

const parse = (text: string): NarInfo => parseNarInfo(text)._unsafeUnwrap()
const replaced = (line: RegExp, by: string) => TEXT.replace(new RegExp(line.source, 'm'), by)

describe('a narinfo', () => {
  it('is read and written back byte for byte', () => {
    expect(formatNarInfo(parse(TEXT))).toBe(TEXT)
    expect(formatNarInfo(parseNarInfo(Buffer.from(TEXT))._unsafeUnwrap())).toBe(TEXT)
  })

  it('says what Nix knows', () => {
    expect(parse(TEXT)).toMatchObject({
      path: PATH,
      narHash: 'abf5362bc3bcff7680891576a57ccfef9c5b570436fe0a0aad4275854256b445',
      narSize: 680,
      references: [],
      selfReference: false,
      signatures: [{ keyName: 'alpha-1' }],
      contentAddress: { method: 'nar', hash: { algorithm: 'sha256' } },
      compression: 'xz',
      fileSize: 208,
    })
  })

  it('has references as paths, sorted and each once, with itself apart', () => {
    const info = parse(replaced(/^References: $/, `References: ${PATH.slice(11)} ${OTHER} ${OTHER}`))
    expect(info.references).toEqual([`/nix/store/${OTHER}`])
    expect(info.selfReference).toBe(true)
    expect(formatNarInfo(info)).toContain(`\nReferences: ${OTHER} ${PATH.slice(11)}\n`)
  })

  it.each([
    'abf5362bc3bcff7680891576a57ccfef9c5b570436fe0a0aad4275854256b445',
    `sha256:${HASH}`,
    'sha256:abf5362bc3bcff7680891576a57ccfef9c5b570436fe0a0aad4275854256b445',
    'sha256-q/U2K8O8/3aAiRV2pXzP75xbVwQ2/goKrUJ1hUJWtEU=',
    'sha256:q/U2K8O8/3aAiRV2pXzP75xbVwQ2/goKrUJ1hUJWtEU=',
  ])('has one NarHash, whatever its encoding: %s', (hash) => {
    const parsed = parseNarInfo(replaced(/^NarHash: .*$/, `NarHash: ${hash}`))
    if (hash.includes('sha256')) expect(parsed._unsafeUnwrap().narHash).toBe(parse(TEXT).narHash)
    else expect(parsed._unsafeUnwrapErr().line).toBe(6)
  })

  it('that is silent about them is compressed by bzip2 and has no file hash, references, deriver or content address', () => {
    const bare = parse(`StorePath: ${PATH}\nURL: x\nNarHash: sha256:${HASH}\nNarSize: 1\n`)
    expect(bare).toEqual({
      path: PATH,
      url: 'x',
      compression: 'bzip2',
      narHash: parse(TEXT).narHash,
      narSize: 1,
      references: [],
      selfReference: false,
      signatures: [],
    })
  })

  it('may hold keys of the future, an unknown deriver and an empty content address', () => {
    const text = replaced(/^CA: .*$/, 'CA: \nDeriver: unknown-deriver\nSystem: x86_64-linux\nSystem: again')
    const { deriver, contentAddress, ...rest } = parse(text)
    expect(deriver).toBeUndefined()
    expect(contentAddress).toBeUndefined()
    expect(rest.path).toBe(PATH)
  })

  it.each<[string, string, number | undefined, RegExp]>([
    ['nothing', '', undefined, /StorePath is missing/],
    ['no URL', replaced(/^URL: .*\n/, ''), undefined, /URL is missing/],
    ['an empty URL', replaced(/^URL: .*$/, 'URL: '), 2, /URL/],
    ['a line without end', TEXT.slice(0, -1), 10, /does not end/],
    ['a line without a key', `${TEXT}nonsense\n`, 11, /nonsense/],
    ['a key without a space', replaced(/^References: $/, 'References:'), 8, /Key: value/],
    ['an empty line', `${TEXT}\n`, 11, /Key: value/],
    ['a NarSize of zero', replaced(/^NarSize: .*$/, 'NarSize: 0'), 7, /zero/],
    ['a negative NarSize', replaced(/^NarSize: .*$/, 'NarSize: -1'), 7, /number/],
    ['a NarSize beyond 2^53', replaced(/^NarSize: .*$/, 'NarSize: 9007199254740993'), 7, /number/],
    ['a NarSize in another notation', replaced(/^NarSize: .*$/, 'NarSize: 0x10'), 7, /number/],
    ['a NarHash of another kind', replaced(/^NarHash: .*$/, `NarHash: sha1:${'0'.repeat(32)}`), 6, /SHA-256/],
    ['two NarHashes', `${TEXT}NarHash: sha256:${HASH}\n`, 11, /twice/],
    ['two References', `${TEXT}References: \n`, 11, /twice/],
    ['two content addresses', `${TEXT}CA: fixed:r:sha256:${HASH}\n`, 11, /twice/],
    ['a reference by its path', replaced(/^References: $/, `References: ${PATH}`), 8, /store path/],
    ['a reference with ..', replaced(/^References: $/, `References: ${'0'.repeat(32)}-..`), 8, /reserved/],
    ['a path of another store', replaced(/^StorePath: .*$/, 'StorePath: /gnu/store/x'), 1, /store path/],
    ['a signature without a name', `${TEXT}Sig: abc\n`, 11, /KEYNAME/],
    ['a control character', replaced(/^URL: /, 'URL: \x1b[2J'), 2, /printable/],
    ['a URL with a space', replaced(/^URL: /, 'URL: a '), 2, /space/],
    ['101 signatures', TEXT + `Sig: ${SIGNATURE}\n`.repeat(100), undefined, /more than 100/],
    ['5 MiB', `${TEXT}X: ${'y'.repeat(5 << 20)}\n`, undefined, /longer than/],
  ])('with %s is refused, with the line', (_, text, line, reason) => {
    const error = parseNarInfo(text)._unsafeUnwrapErr()
    expect(error).toMatchObject({
      kind: 'malformed',
      format: 'narinfo',
      reason: expect.stringMatching(reason),
    })
    expect(error.line).toBe(line)
  })

  it('about another path than the one that was asked for is refused', () => {
    const digest = PATH.slice(11, 43)
    expect(parseNarInfo(TEXT, { digest }).isOk()).toBe(true)
    expect(parseNarInfo(TEXT, { digest: '0'.repeat(32) })._unsafeUnwrapErr().reason).toContain(
      'not asked for',
    )
  })

  it('cut anywhere is refused or says less, never something else', () => {
    for (let length = 0; length < TEXT.length; length++) {
      const parsed = parseNarInfo(TEXT.slice(0, length))
      if (parsed.isOk()) expect(TEXT.startsWith(formatNarInfo(parsed.value))).toBe(true)
    }
  })

  it('damaged anyhow never throws, and what is read is written and read the same', () => {
    const damage = fc.tuple(fc.nat(TEXT.length), fc.nat(8), fc.uint8Array({ maxLength: 8 }))
    fc.assert(
      fc.property(damage, ([at, drop, insert]) => {
        const parsed = parseNarInfo(
          TEXT.slice(0, at) + Buffer.from(insert).toString('latin1') + TEXT.slice(at + drop),
        )
        if (parsed.isOk()) expect(parse(formatNarInfo(parsed.value))).toEqual(parsed.value)
      }),
    )
  })
})
