import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ContentAddressHasher,
  contentAddressedPath,
  fingerprint,
  formatCacheInfo,
  formatHash,
  formatListing,
  formatNarHash,
  formatNarInfo,
  formatPublicKey,
  formatReferencesGraph,
  formatReferencesGraphJson,
  formatRegistration,
  type HashAlgorithm,
  isSignedBy,
  judge,
  listTree,
  NarLister,
  NarReader,
  type NixPathInfo,
  parseCacheInfo,
  parseHash,
  parseListing,
  parseNarInfo,
  parsePublicKey,
  parseReferencesGraph,
  parseRegistration,
  parseSecretKey,
  parseStorePath,
  readPathInfo,
} from '../../src/index.js'
import { generateSecretKey, nixDatabase, serialiseNar, treeReader, verifyNar } from '../../src/linux.js'
import { scanTree } from '../../src/tree.js'
import { BuiltStore } from './nix-builds.js'
import { inventory, variedTree } from './real-store.js'

const store = new BuiltStore()
const scratch = mkdtempSync(join(tmpdir(), 'nix-formats-'))
const signal = new AbortController().signal
afterAll(() => {
  store[Symbol.dispose]()
  rmSync(scratch, { recursive: true, force: true })
})

/** A closure with every kind of reference, outputs of builds that were told of it, and paths that were added. */
let several: string
let graph: string
let structured: string
let varied: string
let dumped: string
const secretKeyFile = join(scratch, 'alpha.secret')
const publicKeyFile = join(scratch, 'alpha.public')

beforeAll(() => {
  ;[several, graph, structured] = store.build('several.out', 'graph', 'structured') as [
    string,
    string,
    string,
  ]
  variedTree(join(scratch, 'varied'))
  varied = store.run('nix-store', '--add', join(scratch, 'varied'))
  store.run('nix-store', '--generate-binary-cache-key', 'alpha-1', secretKeyFile, publicKeyFile)
  dumped = store.runBytes('nix-store', ['--dump-db']).toString()
})

function pathInfos(...paths: readonly string[]): readonly NixPathInfo[] {
  const derivation = paths.every((path) => path.endsWith('.drv')) ? ['--derivation'] : []
  const answer = readPathInfo(
    store.runBytes('nix', ['path-info', '--json', '--recursive', ...derivation, ...paths]),
  )
  if (answer.kind === 'malformed') throw new Error(answer.reason)
  return answer.paths
}

async function narOf(path: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of serialiseNar(path, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const dump = (path: string) => store.runBytes('nix-store', ['--dump', path])

describe('a NAR', () => {
  it('that is written has the bytes of nix-store --dump, whatever the tree holds', async () => {
    expect((await narOf(join(scratch, 'varied'))).equals(dump(join(scratch, 'varied')))).toBe(true)
  })

  it('that Nix wrote is read to the tree that it wrote, with the places of all contents', () => {
    const nar = dump(join(scratch, 'varied'))
    const reader = new NarReader()
    const lister = new NarLister()
    const contents = new Map<number, string>()
    let hash = createHash('sha256')
    let narOffset = 0
    for (let at = 0; at < nar.length; at += 65_521) {
      for (const event of reader.push(nar.subarray(at, at + 65_521))) {
        lister.see(event)
        if (event.kind === 'file') {
          narOffset = event.narOffset
          hash = createHash('sha256')
        } else if (event.kind === 'contents') hash.update(event.bytes)
        else if (event.kind === 'file-end') contents.set(narOffset, hash.digest('hex'))
      }
    }
    expect(reader.finish()._unsafeUnwrap().sizeBytes).toBe(nar.length)
    const found = new Map<string, string>()
    const visit = (node: NonNullable<typeof lister.root>, name: string) => {
      if (node.kind === 'symlink') found.set(name, `link ${node.target}`)
      else if (node.kind === 'directory') {
        found.set(name, 'directory')
        for (const entry of node.entries) visit(entry.node, `${name}/${entry.name}`)
      } else {
        const mode = node.executable ? '755' : '644'
        found.set(name, `file ${mode} ${node.sizeBytes} ${contents.get(node.narOffset)}`)
      }
    }
    visit(lister.root!, '')
    const expected = [...inventory(join(scratch, 'varied'))].map(([name, what]) => [
      name,
      what.replace(/^directory.*/, 'directory'),
    ])
    expect(found).toEqual(new Map(expected as [string, string][]))
  })

  it('that is written is restored by Nix', async () => {
    const restored = join(scratch, 'restored')
    store.runBytes('nix-store', ['--restore', restored], await narOf(join(scratch, 'varied')))
    expect((await narOf(restored)).equals(dump(join(scratch, 'varied')))).toBe(true)
  })
})

describe('a hash', () => {
  const encodings = { nix32: '--base32', hex: '--base16', base64: '--base64', sri: '--sri' } as const

  it.each<HashAlgorithm>(['md5', 'sha1', 'sha256', 'sha512'])(
    '%s is written in every encoding as Nix does',
    (algorithm) => {
      const file = join(scratch, 'hashed')
      writeFileSync(file, 'to be hashed')
      const hex = createHash(algorithm).update('to be hashed').digest('hex')
      for (const [encoding, option] of Object.entries(encodings)) {
        const text = store.run('nix', 'hash', 'file', '--type', algorithm, option, file)
        const ours = formatHash({ algorithm, hex }, encoding as keyof typeof encodings)
        expect(encoding === 'sri' ? ours : ours.slice(algorithm.length + 1)).toBe(text)
        expect(parseHash(text, algorithm)._unsafeUnwrap()).toEqual({ algorithm, hex })
      }
    },
  )
})

describe('a binary cache that Nix wrote', () => {
  const cache = join(scratch, 'cache')
  let infos: readonly NixPathInfo[]
  const inCache = (path: string, ending: string) =>
    join(cache, `${parseStorePath(path)._unsafeUnwrap().digest}${ending}`)
  beforeAll(() => {
    const url = `file://${cache}?compression=none&write-nar-listing=true&secret-key=${secretKeyFile}`
    store.run('nix', 'copy', '--to', url, several, varied)
    infos = pathInfos(several, varied)
    expect(infos.length).toBe(4)
  })

  it('has narinfo files that are read, and written again byte for byte', () => {
    for (const { path } of infos) {
      const text = readFileSync(inCache(path, '.narinfo'), 'utf8')
      const { digest } = parseStorePath(path)._unsafeUnwrap()
      expect(formatNarInfo(parseNarInfo(text, { digest })._unsafeUnwrap())).toBe(text)
    }
  })

  it('has narinfo files that say what the store says', () => {
    for (const info of infos) {
      const { url, compression, fileHash, fileSize, signatures, ...told } = parseNarInfo(
        readFileSync(inCache(info.path, '.narinfo')),
      )._unsafeUnwrap()
      const { signatures: _, registrationTime, ultimate, ...expected } = info
      expect(told).toEqual(expected)
      const file = readFileSync(join(cache, url))
      expect([compression, fileSize]).toEqual(['none', file.length])
      expect(fileHash).toEqual({ algorithm: 'sha256', hex: createHash('sha256').update(file).digest('hex') })
    }
  })

  it('has signatures that verify', () => {
    const key = parsePublicKey(readFileSync(publicKeyFile, 'utf8'))._unsafeUnwrap()
    for (const { path } of infos) {
      const info = parseNarInfo(readFileSync(inCache(path, '.narinfo')))._unsafeUnwrap()
      expect(info.signatures).toHaveLength(1)
      expect(isSignedBy(info, info.signatures[0]!, key)).toBe(true)
      expect(isSignedBy({ ...info, narSize: info.narSize + 1 }, info.signatures[0]!, key)).toBe(false)
    }
  })

  it('has listings that are written the same, from the NAR and from the tree, and read back', async () => {
    for (const { path } of infos.filter((info) => info.path !== varied)) {
      const text = readFileSync(inCache(path, '.ls'), 'utf8')
      const tree = await scanTree(treeReader, store.locate(path), signal)
      expect(formatListing(listTree(tree))._unsafeUnwrap()).toBe(text)
      const lister = new NarLister()
      for (const event of new NarReader().push(dump(store.locate(path)))) lister.see(event)
      expect(formatListing(lister.root!)._unsafeUnwrap()).toBe(text)
      expect(parseListing(text)._unsafeUnwrap()).toEqual(lister.root)
    }
  })

  it('has a listing that is no JSON where a name is not UTF-8, and none is written here', async () => {
    expect(parseListing(readFileSync(inCache(varied, '.ls')))._unsafeUnwrapErr().reason).toContain('UTF-8')
    const tree = await scanTree(treeReader, store.locate(varied), signal)
    expect(formatListing(listTree(tree))._unsafeUnwrapErr().reason).toContain('UTF-8')
  })

  it('has a description that is read and written', () => {
    const text = readFileSync(join(cache, 'nix-cache-info'), 'utf8')
    const info = parseCacheInfo(text)._unsafeUnwrap()
    expect(info).toEqual({ storeDirectory: '/nix/store', wantMassQuery: false, priority: 50 })
    expect(formatCacheInfo(info).startsWith(text)).toBe(true)
  })
})

describe('a listing of names at the edges', () => {
  it('is the one that Nix writes', async () => {
    const tree = join(scratch, 'names')
    mkdirSync(tree)
    for (const name of [
      '"',
      '\\',
      '\\b',
      '\b',
      '\f',
      '\n',
      '\u007f',
      'ä',
      '\u2028',
      '日本',
      '𝄞',
      '10',
      '9',
      '__proto__',
    ]) {
      writeFileSync(join(tree, name), name)
    }
    symlinkSync('"\\\b', join(tree, 'link'))
    const listed = listTree(await scanTree(treeReader, tree, signal))
    const path = store.run('nix-store', '--add', tree)
    store.run('nix', 'copy', '--to', `file://${join(scratch, 'names-cache')}?write-nar-listing=true`, path)
    const [file] = readdirSync(join(scratch, 'names-cache')).filter((name) => name.endsWith('.ls'))
    const text = readFileSync(join(scratch, 'names-cache', file!), 'utf8')
    expect(formatListing(listed)._unsafeUnwrap()).toBe(text)
    expect(parseListing(text)._unsafeUnwrap()).toEqual(listed)
  })
})

describe('a binary cache that is written here', () => {
  const cache = join(scratch, 'own-cache')
  const key = generateSecretKey('own-1')
  let info: NixPathInfo
  beforeAll(async () => {
    info = pathInfos(several).find(({ path }) => path.endsWith('-self'))!
    mkdirSync(join(cache, 'nar'), { recursive: true })
    writeFileSync(
      join(cache, 'nix-cache-info'),
      formatCacheInfo({ storeDirectory: '/nix/store', wantMassQuery: true, priority: 30 }),
    )
    for (const each of pathInfos(several)) {
      const { digest } = parseStorePath(each.path)._unsafeUnwrap()
      const nar = await narOf(store.locate(each.path))
      writeFileSync(join(cache, 'nar', `${digest}.nar`), nar)
      const fileHash = { algorithm: 'sha256', hex: createHash('sha256').update(nar).digest('hex') } as const
      const signed = { ...each, signatures: [key.sign(each)] }
      writeFileSync(
        join(cache, `${digest}.narinfo`),
        formatNarInfo({
          ...signed,
          url: `nar/${digest}.nar`,
          compression: 'none',
          fileHash,
          fileSize: nar.length,
        }),
      )
    }
  })

  it('is believed by nix copy, by its key alone', () => {
    const verify = (publicKey: string) => {
      const to = mkdtempSync(join(scratch, 'copy-'))
      const trusting = ['--option', 'trusted-public-keys', publicKey]
      return store.run('nix', 'copy', '--from', `file://${cache}`, ...trusting, '--to', to, info.path)
    }
    expect(() => verify(formatPublicKey(key.publicKey))).not.toThrow()
    expect(() => verify(formatPublicKey(generateSecretKey('evil-1').publicKey))).toThrow(
      /lacks a valid signature/,
    )
  })

  it('tells Nix the same facts', () => {
    const answer = readPathInfo(
      store.runBytes('nix', ['path-info', '--json', '--store', `file://${cache}`, info.path]),
    )
    expect(answer).toMatchObject({
      kind: 'paths',
      paths: [{ path: info.path, narHash: info.narHash, references: info.references, selfReference: true }],
    })
  })

  it('has signatures by a key file that Nix takes, equal to those of Nix', () => {
    const secret = join(scratch, 'own.secret')
    writeFileSync(secret, `${key.reveal()}\n`)
    store.run('nix', 'store', 'sign', '--key-file', secret, info.path)
    const [signed] = pathInfos(info.path).filter(({ path }) => path === info.path)
    expect(signed!.signatures).toContainEqual(key.sign(info))
    const alpha = parseSecretKey(readFileSync(secretKeyFile, 'utf8'))._unsafeUnwrap()
    expect(`${formatPublicKey(alpha.publicKey)}`).toBe(readFileSync(publicKeyFile, 'utf8').trim())
    expect(alpha.reveal()).toBe(readFileSync(secretKeyFile, 'utf8').trim())
  })
})

describe('the example of the README about trust', () => {
  it('admits what two builders agree on, and says who disagrees', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const example = /## Trust\n[\s\S]*?```ts\n([\s\S]*?)```/.exec(readme)![1]!
    const script = join(scratch, 'example.mts')
    writeFileSync(script, example)
    const caches = ['one', 'two'].map((name) => join(scratch, `example-${name}`))
    const secrets = caches.map((cache, index) => {
      const [secret, open] = [`${cache}.secret`, `${cache}.public`]
      store.run('nix-store', '--generate-binary-cache-key', `key-${index}`, secret, open)
      store.run('nix', 'copy', '--to', `file://${cache}?compression=none&secret-key=${secret}`, several)
      return readFileSync(open, 'utf8').trim()
    })
    const policyFile = join(scratch, 'policy.json')
    const builders = secrets.map((publicKey, index) => ({ name: `builder-${index}`, keys: [{ publicKey }] }))
    writeFileSync(policyFile, JSON.stringify({ version: 1, need: 2, contentAddressed: 'never', builders }))
    const workspace = fileURLToPath(new URL('../../../../', import.meta.url))
    const execute = () =>
      spawnSync(process.execPath, ['--import', 'tsx', script, policyFile, ...caches], {
        cwd: workspace,
        env: { ...process.env, TSX_TSCONFIG_PATH: join(workspace, 'tsconfig.base.json') },
        encoding: 'utf8',
        timeout: 100_000,
        killSignal: 'SIGKILL',
      })
    const agreed = execute()
    expect(agreed.stdout).toContain('admitted: 3 paths')
    expect(agreed.status).toBe(0)

    // The second builder builds something else, and signs that.
    const { digest } = parseStorePath(several)._unsafeUnwrap()
    const narinfo = join(caches[1]!, `${digest}.narinfo`)
    const info = parseNarInfo(readFileSync(narinfo))._unsafeUnwrap()
    const other = { ...info, narHash: 'ab'.repeat(32) }
    const secret = parseSecretKey(readFileSync(`${caches[1]}.secret`, 'utf8'))._unsafeUnwrap()
    writeFileSync(narinfo, formatNarInfo({ ...other, signatures: [secret.sign(other)] }))
    const disputed = execute()
    expect(disputed.stdout).toContain('refused: 1 of 3 paths')
    expect(disputed.stdout).toMatch(/DISAGREEMENT .*-several: builders vouch for 2 different values/)
    expect(disputed.stdout).toContain(`by builder-1, from ${caches[1]}`)
    expect(disputed.status).toBe(1)
  })
})

describe('registration text', () => {
  it('of --dump-db is read, and written again byte for byte', () => {
    const paths = parseRegistration(dumped)._unsafeUnwrap()
    expect(paths.length).toBeGreaterThan(10)
    expect(formatRegistration(paths)).toBe(dumped)
  })

  it('that is written here is taken by --load-db', () => {
    const fresh = new BuiltStore()
    try {
      const text = formatRegistration(pathInfos(several))
      fresh.runBytes('nix-store', ['--load-db'], text)
      expect(fresh.runBytes('nix-store', ['--dump-db']).toString()).toBe(text)
    } finally {
      fresh[Symbol.dispose]()
    }
  })

  it('of a build by exportReferencesGraph is read and written', () => {
    const text = readFileSync(store.locate(graph), 'utf8')
    const nodes = parseReferencesGraph(text)._unsafeUnwrap()
    expect(nodes.map(({ path }) => path)).toEqual(
      pathInfos(several)
        .map(({ path }) => path)
        .sort(),
    )
    expect(formatReferencesGraph(nodes)).toBe(text)
  })

  it('of a build with structured attributes is read and written', () => {
    const { closure } = JSON.parse(readFileSync(store.locate(structured), 'utf8')) as { closure: unknown }
    const answer = readPathInfo(Buffer.from(JSON.stringify(closure)))
    if (answer.kind === 'malformed') throw new Error(answer.reason)
    expect(JSON.parse(formatReferencesGraphJson(answer.paths))).toEqual(closure)
    expect(answer.paths.map(({ narHash }) => narHash)).toEqual(
      [...pathInfos(several)].sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ narHash }) => narHash),
    )
  })
})

describe("Nix's database", () => {
  const database = nixDatabase({ root: store.root })

  it('tells what --dump-db tells', async () => {
    const all = (await database.all())._unsafeUnwrap()
    expect(formatRegistration(all)).toBe(store.runBytes('nix-store', ['--dump-db']).toString())
  })

  it('tells the closures that path-info tells', async () => {
    const closure = (await database.closure([several, varied]))._unsafeUnwrap()
    expect(closure.paths).toEqual([...pathInfos(several, varied)].sort((a, b) => (a.path < b.path ? -1 : 1)))
    const absent = `/nix/store/${'0'.repeat(32)}-absent`
    expect((await database.closure([several, absent]))._unsafeUnwrapErr()).toMatchObject({
      kind: 'missing-path',
      path: absent,
    })
  })
})

describe('a content-addressed path', () => {
  const source = join(scratch, 'source')
  const tree = join(scratch, 'tree')
  beforeAll(() => {
    writeFileSync(source, 'contents of a source')
    mkdirSync(tree)
    writeFileSync(join(tree, 'program'), '#!/bin/sh', { mode: 0o755 })
  })

  /** What Nix added, checked against the path and against the content. */
  async function agrees(path: string): Promise<NixPathInfo> {
    const info = pathInfos(path).find((each) => each.path === path)!
    const contentAddress = info.contentAddress!
    const { name } = parseStorePath(path)._unsafeUnwrap()
    expect(contentAddressedPath(name, contentAddress, info)).toBe(path)
    const nar = dump(store.locate(path))
    const check = (bytes: Buffer, change: object = {}) => {
      const hasher = new ContentAddressHasher({ ...info, contentAddress, ...change })
      for (let at = 0; at < bytes.length; at += 61) hasher.push(bytes.subarray(at, at + 61))
      return hasher.finish()
    }
    expect(check(nar).isOk()).toBe(true)
    const changed = Buffer.from(nar)
    const place = changed.lastIndexOf('c')
    changed[place]! ^= 1
    expect(check(changed).isErr()).toBe(true)
    expect(check(nar, { references: [several] }).isErr()).toBe(true)
    return info
  }

  it('of --add', async () => {
    expect((await agrees(store.run('nix-store', '--add', tree))).contentAddress).toMatchObject({
      method: 'nar',
    })
    await agrees(varied)
  })

  it.each(['md5', 'sha1', 'sha256', 'sha512'])('of --add-fixed %s, flat and recursive', async (algorithm) => {
    const flat = await agrees(store.run('nix-store', '--add-fixed', algorithm, source))
    expect(flat.contentAddress).toMatchObject({ method: 'flat', hash: { algorithm } })
    expect(flat.path).toBe(
      store.run('nix-store', '--print-fixed-path', algorithm, flat.contentAddress!.hash.hex, 'source'),
    )
    const recursive = await agrees(store.run('nix-store', '--add-fixed', '--recursive', algorithm, tree))
    expect(recursive.contentAddress).toMatchObject({ method: 'nar', hash: { algorithm } })
  })

  it('of a text with references, as derivations are', async () => {
    const deriver = pathInfos(several).find(({ path }) => path === several)!.deriver!
    const info = await agrees(deriver)
    expect(info.contentAddress).toMatchObject({ method: 'text' })
    expect(info.references.length).toBeGreaterThan(0)
  })

  it('that refers to itself and others', async () => {
    const { rewrites } = JSON.parse(
      store.run('nix', 'store', 'make-content-addressed', '--json', several),
    ) as { rewrites: Record<string, string> }
    const top = Object.values(rewrites)[0]!
    const infos = pathInfos(top)
    const self = infos.find(({ path }) => path.endsWith('-self'))!
    expect(self).toMatchObject({ selfReference: true, references: [expect.stringContaining('-leaf')] })
    for (const { path } of infos) await agrees(path)
    const policy = {
      builders: [{ name: 'nobody', keys: [{ publicKey: generateSecretKey('n-1').publicKey }] }],
      need: 1,
      contentAddressed: 'recompute',
    } as const
    const claims = infos.map((info) => ({ source: 'store', info }))
    const verdict = judge(policy, { paths: infos.map(({ path }) => path), claims, now: 0 })._unsafeUnwrap()
    expect(verdict.admitted).toBe(true)
  })
})

describe('verifying a path', () => {
  it('agrees with nix-store --verify-path, before and after it was changed', async () => {
    const path = store.run('nix-store', '--add', join(scratch, 'varied', 'bin'))
    const [info] = pathInfos(path)
    expect((await verifyNar(info!, store.locate(path))).isOk()).toBe(true)
    expect(() => store.run('nix-store', '--verify-path', path)).not.toThrow()
    writeFileSync(join(store.locate(path), 'tool'), 'changed')
    expect((await verifyNar(info!, store.locate(path)))._unsafeUnwrapErr()).toMatchObject({
      kind: 'hash-mismatch',
      path,
    })
    expect(() => store.run('nix-store', '--verify-path', path)).toThrow(/was modified/)
  })

  it('covers what signatures cover', () => {
    const info = pathInfos(several).find(({ path }) => path === several)!
    expect(fingerprint(info)).toContain(`;${formatNarHash(info.narHash)};${info.narSize};`)
  })
})
