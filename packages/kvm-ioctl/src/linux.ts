/**
 * This machine's /dev/kvm.
 *
 * @packageDocumentation
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { err, ok, type Result, type ResultAsync } from 'neverthrow'
import type { Architecture } from './architecture.js'
import type { KvmError } from './errors.js'
import { type Kvm, openKvm as openWith } from './kvm.js'
import type { KvmCalls } from './kvm-calls.js'
import { loadKvmCalls } from './linux/native.js'
import {
  type KvmProbeError,
  type KvmProbeOptions,
  type KvmProbePowers,
  type ProbeProcessEnd,
  probeKvm as probeWith,
} from './probe.js'
import type { KvmProbe } from './probe-result.js'

const MOST_OUTPUT_BYTES = 64 * 1024
/** How long after SIGKILL a process that does not end is given up. */
const LINGER_MS = 500

// A second try could only fail the same way, so the answer is kept, but nothing loads before it is asked for.
let loaded: Result<KvmCalls, KvmError> | undefined

/** The native part. */
export function kvmCalls(): Result<KvmCalls, KvmError> {
  loaded ??= load()
  return loaded
}

function load(): Result<KvmCalls, KvmError> {
  try {
    return ok(loadKvmCalls())
  } catch (cause) {
    const message =
      "kvm-ioctl's native part is not built for this machine: run `node native/build.mjs` in the package"
    return err({ kind: 'native-missing', message, cause })
  }
}

/**
 * Opens /dev/kvm. `architecture` is what the program is written for (x86_64 unless told otherwise): on another machine the
 * answer is `other-architecture`.
 *
 * @example
 * ```ts
 * import { openKvm } from '@spectrum/kvm-ioctl/linux'
 *
 * const opened = openKvm()
 * if (opened.isErr()) throw new Error(opened.error.message) // kind: absent, no-permission, native-missing …
 * using kvm = opened.value
 * using vm = kvm.createVm()._unsafeUnwrap()
 * console.log(vm.checkExtension('KVM_CAP_NR_MEMSLOTS')._unsafeUnwrap())
 * ```
 */
export function openKvm<A extends Architecture = 'x86_64'>(
  architecture: A = 'x86_64' as A,
): Result<Kvm<A>, KvmError> {
  return kvmCalls().andThen((calls) => openWith(calls, architecture))
}

/**
 * Finds out whether this machine's KVM works, by running a guest of four instructions in a child process.
 *
 * @example
 * ```ts
 * import { probeKvm } from '@spectrum/kvm-ioctl/linux'
 *
 * const probe = (await probeKvm())._unsafeUnwrap()
 * console.log(probe.kind === 'runs-code' ? probe.capabilities : probe.message)
 * ```
 */
export function probeKvm(options: KvmProbeOptions = {}): ResultAsync<KvmProbe, KvmProbeError> {
  return probeWith(kvmProbePowers, options)
}

/** What `probeKvm` needs, on this machine. */
export const kvmProbePowers: KvmProbePowers = {
  architecture: arch(),
  clock: {
    deadline(ms) {
      const controller = new AbortController()
      const timer = setTimeout(
        () => controller.abort(new DOMException('the deadline passed', 'TimeoutError')),
        ms,
      )
      return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
    },
  },
  runProbeProcess: (signal) => runProbeProcess(probeProgram(), signal),
}

/** What is built lies beside this file; a source is run through the TypeScript loader of the workspace. */
function probeProgram(): readonly string[] {
  const built = new URL('./probe-process.js', import.meta.url)
  if (existsSync(built)) return [fileURLToPath(built)]
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm')).href
  return ['--import', loader, fileURLToPath(new URL('./linux/probe-process.ts', import.meta.url))]
}

/** Runs Node on `argv` and gathers its lines. Exported for the tests, which let it run a program that hangs. */
export function runProbeProcess(argv: readonly string[], signal: AbortSignal): Promise<ProbeProcessEnd> {
  return new Promise((resolve, reject) => {
    // An empty environment: neither NODE_OPTIONS nor a loader of the caller has a say in it.
    const child = spawn(process.execPath, argv, { env: {}, stdio: ['ignore', 'pipe', 'ignore'], cwd: '/' })
    let output = ''
    let giveUp: NodeJS.Timeout | undefined
    const settle = (status: string) => {
      clearTimeout(giveUp)
      signal.removeEventListener('abort', kill)
      child.stdout.destroy()
      const complete = output.slice(0, output.lastIndexOf('\n') + 1)
      resolve({ status, lines: complete.split('\n').filter((line) => line !== '') })
    }
    const kill = () => {
      child.kill('SIGKILL')
      // A process that SIGKILL does not end is stuck in the kernel: leave it behind rather than wait.
      giveUp = setTimeout(() => {
        child.unref()
        settle('does not end')
      }, LINGER_MS)
    }
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text: string) => {
      output = (output + text).slice(0, MOST_OUTPUT_BYTES)
    })
    child.once('error', (cause) => {
      signal.removeEventListener('abort', kill)
      reject(cause)
    })
    child.once('close', (code, killed) => settle(killed === null ? `exit ${code}` : killed))
    if (signal.aborted) kill()
    else signal.addEventListener('abort', kill, { once: true })
  })
}
