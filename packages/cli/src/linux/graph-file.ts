import { open } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createJiti } from 'jiti'
import type { GraphFile } from '../powers.js'

/** More than `parseGraph` takes, so that it says so. */
const MAX_BYTES = 16 * 1024 * 1024 + 1

/**
 * Reads a graph in JSON. A module is a program of the user's own and is run with this one's rights. `own`: what a
 * TypeScript module gets for packages that its own directory does not have, by name.
 */
export async function readGraphFile(
  file: string,
  own: Readonly<Record<string, string>> = ownPackages(),
): Promise<GraphFile> {
  try {
    const form = /^\.[cm]?([jt])s$/.exec(extname(file))?.[1]
    if (form === undefined) return { kind: 'text', text: await textOf(file) }
    const module =
      form === 't'
        ? await loadTypeScript(resolve(file), own)
        : await import(pathToFileURL(resolve(file)).href)
    return exportsOf(module)
  } catch (cause) {
    return { kind: 'unreadable', message: messageOf(cause) }
  }
}

function exportsOf(module: unknown): GraphFile {
  const { default: value, services } = module as { readonly default?: unknown; readonly services?: unknown }
  // A CommonJS module that was made from an ES module has its exports within.
  const found = isNested(value) ? value : { default: value, services }
  return {
    kind: 'value',
    value: found.default,
    ...(found.services === undefined ? {} : { services: found.services }),
  }
}

/**
 * Every Node that this command runs on loads TypeScript the same way, whole language and all: not each of them has
 * one of its own, and that leaves out what is more than types. What the file imports of Spectrum is this command's own
 * where the file's directory has none.
 */
async function loadTypeScript(path: string, own: Readonly<Record<string, string>>): Promise<unknown> {
  const near = createRequire(path)
  const alias = Object.fromEntries(Object.entries(own).filter(([name]) => !resolves(near, name)))
  // Nothing is left in a directory that others could write, and an edited file is read again.
  const jiti = createJiti(path, { fsCache: false, moduleCache: false, alias })
  return await jiti.import(path)
}

/** Those that come with this command, by name. */
function ownPackages(): Readonly<Record<string, string>> {
  const names = ['@spectrum/unit-graph', '@spectrum/unit-runtime']
  return Object.fromEntries(names.map((name) => [name, fileURLToPath(import.meta.resolve(name))]))
}

function resolves(near: NodeJS.Require, name: string): boolean {
  try {
    near.resolve(name)
    return true
  } catch {
    return false
  }
}

const isNested = (value: unknown): value is { readonly default: unknown; readonly services?: unknown } =>
  typeof value === 'object' && value !== null && '__esModule' in value && 'default' in value

async function textOf(file: string): Promise<string> {
  await using handle = await open(file, 'r')
  const buffer = Buffer.alloc(MAX_BYTES)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
    length += bytesRead
    if (bytesRead === 0 || length === buffer.length) return buffer.toString('utf8', 0, length)
  }
}

function messageOf(cause: unknown): string {
  const { message } = cause as Error
  return String(message ?? cause)
}
