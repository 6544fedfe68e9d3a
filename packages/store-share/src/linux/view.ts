import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { PassThrough, type Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { unixFd } from '@spectrum/unix-fd/linux'
import { errAsync, type ResultAsync } from 'neverthrow'
import type { ViewError } from '../view/errors.js'
import {
  type OpenViewPowers,
  type OpenViewOptions as Options,
  openView as openWith,
  type ViewProcess,
  type ViewProcesses,
} from '../view/open.js'
import type { View } from '../view/view.js'
import { clock } from './process.js'

/** Where a view lies and how it is served. */
export interface OpenViewOptions extends Options {
  /** Starts the program: unit-monitor's `Processes`, so that a journal knows of it. Default: a plain child. */
  readonly processes?: ViewProcesses | undefined
}

/**
 * Starts a view in a process of its own. See `openView` of `@spectrum/store-share/view` for what can fail.
 *
 * @example
 * ```ts
 * import { openView } from '@spectrum/store-share/linux'
 *
 * const opened = await openView({ directory: '/run/spectrum/mail', tag: 'store' }) // its own, mode 0700
 * if (opened.isErr()) throw new Error(opened.error.message) // kind: not-started, timed-out …
 * await using view = opened.value
 * const location = '/nix/store/…-hello-2.12'
 * ;(await view.grant({ name: '…-hello-2.12', location }, { deadlineMs: 5_000 }))._unsafeUnwrap()
 * console.log(view.socket) // for the monitor's vhost-user-fs device
 * ```
 */
export function openView(options: OpenViewOptions): ResultAsync<View, ViewError> {
  const { processes = children, ...rest } = options
  const descriptors = unixFd()
  if (descriptors.isErr()) {
    const { message } = descriptors.error
    return errAsync({ kind: 'system', message, cause: descriptors.error })
  }
  return openWith({ descriptors: descriptors.value, clock, processes, program: viewProgram() }, rest)
}

/** What is built lies beside this file; a source is run through the TypeScript loader of the workspace. */
export function viewProgram(): OpenViewPowers['program'] {
  const file = process.execPath
  const built = new URL('./view-program.js', import.meta.url)
  if (existsSync(built)) return { file, argv: [fileURLToPath(built)], environment: {} }
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm')).href
  return {
    file,
    argv: ['--import', loader, here('./view-program.ts')],
    environment: { TSX_TSCONFIG_PATH: here('../../../../tsconfig.base.json') },
  }
}

/** A child that ends with its control channel; nothing of this program is inherited but what it says. */
const children: ViewProcesses = {
  async spawn({ file, argv, environment }): Promise<ViewProcess> {
    const child = spawn(file, argv, { cwd: '/', env: { ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
    // Listened for before it can happen.
    const exit = new Promise<void>((resolve) => child.once('close', () => resolve()))
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    return {
      pid: child.pid!,
      output: both(child.stdout, child.stderr),
      exit,
      kill: () => child.kill('SIGKILL'),
    }
  },
}

/** What comes on either stream, as it comes. */
function both(...streams: readonly Readable[]): AsyncIterable<Uint8Array> {
  const joined = new PassThrough()
  let open = streams.length
  for (const stream of streams) {
    stream.pipe(joined, { end: false })
    stream.once('close', () => {
      open -= 1
      if (open === 0) joined.end()
    })
  }
  return joined
}
