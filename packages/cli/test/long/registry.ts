import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Packument {
  readonly name: string
  readonly versions: Record<string, { dist: Record<string, string> }>
  readonly 'dist-tags': Record<string, string>
}

/** A registry in memory on 127.0.0.1 that lasts as long as a test: takes what npm publishes, and gives it back. */
export class Registry implements AsyncDisposable {
  readonly #server: Server
  readonly #packages = new Map<string, Packument>()
  readonly #tarballs = new Map<string, Buffer>()

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request).then(
        ([status, body]) => response.writeHead(status).end(body),
        (error: Error) => response.writeHead(500).end(JSON.stringify({ error: error.message })),
      )
    })
  }

  static async open(): Promise<Registry> {
    const registry = new Registry()
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve))
    return registry
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  /** Names of what was published, sorted. */
  get names(): string[] {
    return [...this.#packages.keys()].sort()
  }

  async #answer(request: IncomingMessage): Promise<[number, Buffer | string]> {
    const path = decodeURIComponent(new URL(request.url ?? '/', this.address).pathname.slice(1))
    if (request.method === 'PUT') return this.#publish(path, await bodyOf(request))
    const tarball = this.#tarballs.get(path)
    if (tarball !== undefined) return [200, tarball]
    const found = this.#packages.get(path)
    return found === undefined ? [404, '{"error":"not found"}'] : [200, JSON.stringify(found)]
  }

  #publish(name: string, body: Buffer): [number, string] {
    const sent = JSON.parse(body.toString()) as Packument & { _attachments: Record<string, { data: string }> }
    const [version, manifest] = Object.entries(sent.versions)[0]!
    const attached = Object.entries(sent._attachments).find(([file]) => file.endsWith('.tgz'))!
    const tarball = Buffer.from(attached[1].data, 'base64')
    const path = `${name}/-/${version}.tgz`
    const hash = (algorithm: string, as: 'hex' | 'base64') => createHash(algorithm).update(tarball).digest(as)
    manifest.dist = {
      tarball: this.address + path,
      shasum: hash('sha1', 'hex'),
      integrity: `sha512-${hash('sha512', 'base64')}`,
    }
    this.#tarballs.set(path, tarball)
    this.#packages.set(name, { name, versions: { [version]: manifest }, 'dist-tags': { latest: version } })
    return [201, '{"ok":true}']
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}
