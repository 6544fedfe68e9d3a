import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { formatCacheInfo } from '../../src/nix/cache-info.js'
import { formatNarInfo, type NarInfo } from '../../src/nix/narinfo.js'
import type { NixPathInfo } from '../../src/nix/nix-path-info.js'
import { SecretKey } from '../../src/nix/signature.js'
import type { TrustPolicy } from '../../src/trust/index.js'
import { type MemoryNode, plainNar } from '../memory-store.js'

export const builder = (name: string) =>
  new SecretKey(`${name}-1`, createHash('sha256').update(name).digest())

export function policyOf(need: number, ...keys: readonly SecretKey[]): TrustPolicy {
  const builders = keys.map(({ publicKey }) => ({ name: publicKey.name, keys: [{ publicKey }] }))
  return { builders, need, contentAddressed: 'recompute' }
}

export interface CachedPath {
  readonly path: string
  readonly root: MemoryNode
  readonly references?: readonly string[]
}

export const compressors = {
  none: (nar: Buffer) => nar,
  gzip: (nar: Buffer) => gzipSync(nar, { level: 1 }),
  br: (nar: Buffer) => brotliCompressSync(nar, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
}

/** The files of a binary cache, by name, as Nix lays them out. */
export function cacheFilesOf(
  paths: readonly CachedPath[],
  keys: readonly SecretKey[],
  compression: keyof typeof compressors = 'gzip',
): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  files.set(
    'nix-cache-info',
    Buffer.from(formatCacheInfo({ storeDirectory: '/nix/store', wantMassQuery: true, priority: 40 })),
  )
  for (const { path, root, references = [] } of paths) {
    const nar = plainNar(root)
    const file = compressors[compression](nar)
    const facts: NixPathInfo = {
      path,
      narHash: sha256(nar),
      narSize: nar.length,
      references: references.filter((each) => each !== path).sort(),
      selfReference: references.includes(path),
      signatures: [],
    }
    const url = `nar/${sha256(file)}.nar.${compression}`
    const info: NarInfo = {
      ...facts,
      signatures: keys.map((key) => key.sign(facts)),
      url,
      compression,
      fileHash: { algorithm: 'sha256', hex: sha256(file) },
      fileSize: file.length,
    }
    files.set(`${path.slice(11, 43)}.narinfo`, Buffer.from(formatNarInfo(info)))
    files.set(url, file)
  }
  return files
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export type Misbehaviour = (
  request: IncomingMessage,
  response: ServerResponse,
  file: Buffer | undefined,
) => boolean | Promise<boolean>

/** Serves files with ranges, as a plain web server does, unless `misbehave` answers itself (and returns true). */
export class CacheServer implements AsyncDisposable {
  readonly requests: { readonly name: string; readonly range: string | undefined }[] = []
  misbehave: Misbehaviour = () => false

  private constructor(
    readonly server: Server,
    readonly files: ReadonlyMap<string, Buffer>,
    readonly scheme: 'http' | 'https',
  ) {}

  /** With an identity, over TLS. */
  static async open(
    files: ReadonlyMap<string, Buffer>,
    identity?: { readonly key: string; readonly cert: string },
  ): Promise<CacheServer> {
    const server = identity === undefined ? createServer() : createSecureServer(identity)
    const own = new CacheServer(server, files, identity === undefined ? 'http' : 'https')
    server.on('request', (request, response) => void own.#serve(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return own
  }

  get address(): string {
    return `${this.scheme}://127.0.0.1:${(this.server.address() as AddressInfo).port}/cache`
  }

  /** How often a file was asked for. */
  count(pattern: RegExp): number {
    return this.requests.filter(({ name }) => pattern.test(name)).length
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = (request.url ?? '').replace(/^\/cache\//, '')
    const { range } = request.headers
    this.requests.push({ name, range })
    const file = this.files.get(name)
    response.on('error', () => {})
    if (await this.misbehave(request, response, file)) return
    if (file === undefined) {
      response.writeHead(404).end()
      return
    }
    const start = Number(/^bytes=([0-9]+)-$/.exec(range ?? '')?.[1] ?? 0)
    if (range === undefined) {
      response.writeHead(200, { 'content-length': file.length, etag: `"${sha256(file)}"` }).end(file)
      return
    }
    const headers = { 'content-range': `bytes ${start}-${file.length - 1}/${file.length}` }
    response.writeHead(206, { ...headers, 'content-length': file.length - start }).end(file.subarray(start))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
