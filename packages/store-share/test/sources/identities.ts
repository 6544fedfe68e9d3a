import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Identity {
  /** Both in PEM. */
  readonly key: string
  readonly cert: string
}

function openssl(...argv: readonly string[]): string {
  return execFileSync('openssl', argv, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
}

/** Makes certificates in `scratch`: of an authority that nobody knows, and of servers that it vouches for. */
export class Authority {
  readonly #key: string
  readonly #file: string
  readonly certificate: string

  constructor(
    readonly scratch: string,
    readonly name: string,
  ) {
    this.#key = this.#newKey(name)
    this.certificate = openssl('req', '-x509', '-key', this.#key, '-subj', `/CN=${name}`, '-days', '2')
    this.#file = join(scratch, `${name}.pem`)
    writeFileSync(this.#file, this.certificate)
  }

  /** For one name: `IP:127.0.0.1` or `DNS:host`. */
  vouchFor(subject: string): Identity {
    const name = subject.replace(/[^a-z0-9]/gi, '-')
    const key = this.#newKey(name)
    const request = join(this.scratch, `${name}.csr`)
    const extensions = join(this.scratch, `${name}.ext`)
    writeFileSync(request, openssl('req', '-new', '-key', key, '-subj', '/CN=cache'))
    writeFileSync(extensions, `subjectAltName=${subject}\n`)
    const issuer = ['-CA', this.#file, '-CAkey', this.#key, '-CAcreateserial']
    const cert = openssl('x509', '-req', '-in', request, ...issuer, '-days', '2', '-extfile', extensions)
    return { key: openssl('pkey', '-in', key), cert }
  }

  #newKey(name: string): string {
    const file = join(this.scratch, `${name}.key`)
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file)
    return file
  }
}
