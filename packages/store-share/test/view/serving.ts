import { randomFillSync } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clock } from '../../src/linux.js'
import type { ViewLimits } from '../../src/view/limits.js'
import { serveView, type ViewServer } from '../../src/view/serve.js'
import type { ConnectionEnd } from '../../src/view/vhost/connection.js'
import { Driver } from './driver.js'
import { descriptors, FrontEnd } from './front-end.js'

export const NAME = `${'0'.repeat(32)}-sample`
export const OTHER = `${'1'.repeat(32)}-other`

/** A directory like a store path's, and beside it what must never be seen. */
export class Sample implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'view-'))

  constructor() {
    mkdirSync(join(this.root, NAME, 'bin'), { recursive: true })
    mkdirSync(join(this.root, NAME, 'empty'))
    mkdirSync(join(this.root, OTHER))
    writeFileSync(join(this.root, 'secret'), 'not yours')
    writeFileSync(join(this.root, OTHER, 'file'), 'other')
    writeFileSync(join(this.root, NAME, 'text'), 'hello, guest')
    writeFileSync(join(this.root, NAME, 'bin', 'run'), Buffer.alloc(300_000, 'abcdefg'))
    chmodSync(join(this.root, NAME, 'bin', 'run'), 0o755)
    writeFileSync(join(this.root, NAME, 'none'), '')
    symlinkSync('../secret', join(this.root, NAME, 'out'))
    symlinkSync('bin', join(this.root, NAME, 'within'))
  }

  open(name: string) {
    return descriptors.openPath(join(this.root, name), 'place')._unsafeUnwrap()
  }

  openFile(name: string) {
    return descriptors.openPath(join(this.root, name), 'file')._unsafeUnwrap()
  }

  openAbsolute(path: string) {
    return descriptors.openPath(path, 'place')._unsafeUnwrap()
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** A view with a front end, in this process. */
export class Serving implements AsyncDisposable {
  readonly view: ViewServer
  readonly frontEnd: FrontEnd
  readonly driver: Driver
  readonly end: Promise<ConnectionEnd>

  constructor(
    limits: Partial<ViewLimits> = {},
    ringSize?: number,
    messageDeadlineMs = 20_000,
    memoryBytes?: number,
  ) {
    const fillRandom = (words: Uint32Array) => {
      randomFillSync(words)
    }
    this.view = serveView({ descriptors, clock, fillRandom, limits, messageDeadlineMs })
    const [ours, theirs] = descriptors.socketpair('stream')._unsafeUnwrap()
    this.frontEnd = new FrontEnd(ours, ringSize, memoryBytes)
    this.driver = new Driver(this.frontEnd)
    this.end = this.view.serve(theirs)
  }

  /** Negotiated, started and initialised, with the sample granted. */
  static async started(sample: Sample, limits?: Partial<ViewLimits>): Promise<Serving> {
    const serving = new Serving(limits)
    serving.view.grant(NAME, sample.open(NAME))._unsafeUnwrap()
    await serving.frontEnd.start()
    await serving.driver.initialise()
    return serving
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.frontEnd[Symbol.dispose]()
    await this.end
    this.view.close()
  }
}
