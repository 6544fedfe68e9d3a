import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'

/** Something the person at the keyboard can put right; `remedy` says how. */
export class Problem extends Error {
  constructor(message, remedy, detail = '') {
    super(message)
    this.remedy = remedy
    this.detail = detail
  }
}

/** Set-up was told to stop by a signal; everything begun has been taken back. */
export class Interrupted extends Error {
  constructor(signalName) {
    super(`Interrupted by ${signalName}`)
    this.signalName = signalName
  }
}

// The sbin directories are absent from an ordinary user's search path, and depmod lives there.
const searchPath = () =>
  [
    ...(process.env.PATH ?? '').split(':'),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
    '/usr/bin',
    '/bin',
  ].filter((directory) => directory.startsWith('/'))

/** The absolute path of a program, or undefined. */
export function findProgram(name) {
  for (const directory of searchPath()) {
    const candidate = join(directory, name)
    try {
      accessSync(candidate, constants.X_OK)
      if (statSync(candidate).isFile()) return candidate
    } catch {
      // Not here; the next directory may have it.
    }
  }
  return undefined
}

const keptBytes = 4 * 1024 * 1024
const killDelayMs = 10_000

/**
 * Runs a program to its end. Never a shell; standard input is empty unless inherited on purpose.
 *
 * `stopWith` is the signal that asks this program to stop in order; `patient` programs (apt, in the middle of
 * unpacking) are never killed harder than that.
 */
export function run(file, argv, options = {}) {
  const { signal, deadlineMs = 600_000, stopWith = 'SIGTERM', patient = false, stdio = 'capture' } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const child = spawn(file, argv, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: stdio === 'capture' ? ['ignore', 'pipe', 'pipe'] : stdio,
    })
    const output = { stdout: [], stderr: [], both: [] }
    const sizes = { stdout: 0, stderr: 0, both: 0 }
    const keep = (name, chunk) => {
      output[name].push(chunk)
      sizes[name] += chunk.length
      while (sizes[name] > keptBytes && output[name].length > 1) sizes[name] -= output[name].shift().length
    }
    for (const name of ['stdout', 'stderr']) {
      child[name]?.on('data', (chunk) => {
        keep(name, chunk)
        keep('both', chunk)
      })
    }
    const text = (name) => Buffer.concat(output[name]).toString('utf8')

    let late = false
    let harder
    const stop = () => {
      child.kill(stopWith)
      if (!patient) harder = setTimeout(() => child.kill('SIGKILL'), killDelayMs)
    }
    const deadline = setTimeout(() => {
      late = true
      stop()
    }, deadlineMs)
    signal?.addEventListener('abort', stop, { once: true })

    const settle = () => {
      clearTimeout(deadline)
      clearTimeout(harder)
      signal?.removeEventListener('abort', stop)
    }
    child.once('error', (cause) => {
      settle()
      reject(
        new Problem(
          `Cannot start ${file}: ${cause.message}`,
          `check that ${file} exists and may be executed`,
        ),
      )
    })
    child.once('close', (code, killedBy) => {
      settle()
      if (signal?.aborted) return reject(signal.reason)
      if (late) {
        return reject(
          new Problem(
            `${file} did not finish within ${Math.round(deadlineMs / 1000)} s`,
            'try again; if it hangs again, run the command by hand to see where',
            lastLines(text('both')),
          ),
        )
      }
      resolve({
        code: code ?? 128,
        killedBy,
        stdout: text('stdout'),
        stderr: text('stderr'),
        both: text('both'),
      })
    })
  })
}

/** The end of a program's output, where the reason usually is. */
export function lastLines(text, count = 15) {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/** What usually lies behind a failed program, from what it printed. */
export function remedyFor(text, otherwise) {
  if (/no space left on device|ENOSPC/i.test(text))
    return 'the disk is full: free some space, then run this again'
  if (/could not get lock|unable to (acquire|lock)/i.test(text))
    return 'another package manager holds the lock: wait until it has ended, then run this again'
  if (
    /could not resolve|temporary failure resolving|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network is unreachable|connection (timed out|refused)/i.test(
      text,
    )
  )
    return 'the network cannot be reached: check the connection and any proxy settings, then run this again'
  return otherwise
}
