import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Attachment } from '../../src/index.js'

const NIX_CONFIG = [
  'experimental-features = nix-command',
  'build-users-group =',
  'sandbox = false',
  'substituters =',
].join('\n')

export function run(file: string, ...argv: readonly string[]): string {
  return execFileSync(file, argv, {
    encoding: 'utf8',
    env: { ...process.env, NIX_CONFIG },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
    timeout: 100_000,
    killSignal: 'SIGKILL',
  }).trim()
}

/** A Nix store of its own below a temporary directory, with real paths in it. */
export class RealStore implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'real-store-'))

  /** Adds what `fill` writes at the path it is given, under this name. */
  add(name: string, fill: (path: string) => void): string {
    const source = join(mkdtempSync(join(this.root, 'source-')), name)
    fill(source)
    return run('nix-store', '--store', this.root, '--add', source)
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Every kind of thing that a store path can hold, with names and sizes at the edges. */
export function variedTree(path: string): void {
  mkdirSync(join(path, 'bin'), { recursive: true })
  mkdirSync(join(path, 'empty'))
  mkdirSync(join(path, 'many'))
  const file = (name: string, contents: string | Buffer, mode = 0o644) =>
    writeFileSync(join(path, name), contents, { mode })
  file('bin/tool', '#!/bin/sh\n', 0o755)
  for (const name of ['+x', '-x', '.x', '..x', 'a', 'a+b', 'a-b', 'a.b', 'ä', '日本', 'n'.repeat(255)])
    file(name, name)
  for (let index = 0; index < 500; index++) file(`many/entry-${(index * 7919) % 10_007}`, `${index % 7}`)
  for (const size of [0, 1, 4095, 4096, 4097, (2 << 20) - 1, 2 << 20, (2 << 20) + 1]) {
    file(`size-${size}`, Buffer.alloc(size, `${size} `))
  }
  file('sparse', '')
  truncateSync(join(path, 'sparse'), 5 << 20)
  writeFileSync(Buffer.concat([Buffer.from(`${path}/not-utf8-`), Buffer.from([0xff, 0xfe])]), 'bytes')
  symlinkSync('bin/tool', join(path, 'link'))
  symlinkSync('/nowhere/'.repeat(400), join(path, 'long-link'))
  symlinkSync('x'.repeat(2500), join(path, 'longer-link'))
}

/** Kind, mode, link target, contents of everything below a path, by its path; owner and time where asked. */
export function inventory(path: string, canonical = false): Map<string, string> {
  const found = new Map<string, string>()
  const visit = (at: Buffer, name: string) => {
    const { mode, uid, gid, mtimeMs, size } = lstatSync(at)
    const kind = mode & 0o170000
    const owner = canonical ? ` ${uid}:${gid} ${mtimeMs}` : ''
    if (kind === 0o120000) found.set(name, `link ${readlinkSync(at, 'latin1')}${owner}`)
    else if (kind === 0o100000) {
      found.set(name, `file ${(mode & 0o7777).toString(8)} ${size} ${digest(at)}${owner}`)
    } else {
      found.set(name, `directory ${(mode & 0o7777).toString(8)}${owner}`)
      for (const entry of readdirSync(at, { encoding: 'buffer' })) {
        visit(Buffer.concat([at, Buffer.from('/'), entry]), `${name}/${entry.toString('latin1')}`)
      }
    }
  }
  visit(Buffer.from(path), '')
  return found
}

/** In pieces: a file may be larger than a buffer. */
function digest(path: Buffer): string {
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(1 << 20)
  const fd = openSync(path, 'r')
  try {
    for (let got = readSync(fd, piece); got > 0; got = readSync(fd, piece))
      hash.update(piece.subarray(0, got))
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}

/** Extracts with erofs-utils, the format's own implementation. */
export function extractImage(attachment: Attachment, to: string): void {
  const devices = attachment.blobs.map(({ file }) => `--device=${file}`)
  run('fsck.erofs', `--extract=${to}`, '--preserve', ...devices, attachment.metadata.file)
}

/** Mounts with the kernel of this machine; disposing unmounts and frees the loop devices. */
export class LoopMount implements Disposable {
  readonly #loops: string[] = []
  readonly directory = mkdtempSync(join(tmpdir(), 'erofs-mount-'))

  constructor({ metadata, blobs }: Attachment) {
    try {
      const [image, ...devices] = [metadata, ...blobs].map(({ file }) => {
        const loop = run('losetup', '--read-only', '--find', '--show', file)
        this.#loops.push(loop)
        return loop
      })
      const options = ['ro', ...devices.map((device) => `device=${device}`)].join()
      run('mount', '-t', 'erofs', '-o', options, image!, this.directory)
    } catch (failed) {
      this.#free()
      throw failed
    }
  }

  [Symbol.dispose](): void {
    run('umount', this.directory)
    this.#free()
  }

  #free(): void {
    for (const loop of this.#loops) run('losetup', '--detach', loop)
    rmSync(this.directory, { recursive: true })
  }
}

/** Why this machine cannot mount EROFS through loop devices; undefined when it can. */
export function whyNoLoopMount(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  try {
    run('modprobe', 'erofs')
  } catch {
    // Built in, or no modprobe: the list below decides.
  }
  if (!readFileSync('/proc/filesystems', 'utf8').includes('\terofs\n')) return 'this kernel has no erofs'
  try {
    run('losetup', '--find')
    return undefined
  } catch {
    return 'this kernel has no loop devices'
  }
}
