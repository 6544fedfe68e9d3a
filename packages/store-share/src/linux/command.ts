import { spawn } from 'node:child_process'
import { access, constants, stat } from 'node:fs/promises'
import type { CommandOutcome, CommandRequest, RunCommand } from '../powers.js'

/** What a command is given of this program's environment: where programs are, and how Nix is set up here. */
const INHERITED = [
  'PATH',
  'HOME',
  'NIX_REMOTE',
  'NIX_STATE_DIR',
  'NIX_LOG_DIR',
  'NIX_CONF_DIR',
  'NIX_SSL_CERT_FILE',
]

/**
 * Runs a command to its end, which comes with the abort at the latest. Where `setpriv` (util-linux) is, the kernel
 * also ends it when this program dies, so that nobody has to look for it afterwards.
 */
export const runCommand: RunCommand = async (request) => {
  const [file, setpriv] = await Promise.all([findProgram(request.file), findProgram('setpriv')])
  if (file === undefined) return { kind: 'not-found' }
  return setpriv === undefined
    ? run(file, request.argv, request)
    : run(setpriv, ['--pdeathsig', 'KILL', '--', file, ...request.argv], request)
}

function run(file: string, argv: readonly string[], request: CommandRequest): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, {
      env: { ...inherited(), ...request.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: false,
      // A process group of its own, so that what it starts ends with it, as behind a script called `nix`.
      detached: true,
    })
    const end = () => {
      // Until it is reaped its number is its own and its group's.
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        killGroup(child.pid)
      // Whoever holds the other ends open does not keep us waiting.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const stdout = new BoundedOutput(request, end)
    const stderr = new BoundedOutput(request, end)
    child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk))
    if (request.signal.aborted) end()
    request.signal.addEventListener('abort', end, { once: true })
    child.on('error', (cause: NodeJS.ErrnoException) => {
      request.signal.removeEventListener('abort', end)
      if (cause.code === 'ENOENT') resolve({ kind: 'not-found' })
      else reject(cause)
    })
    child.on('close', (code) => {
      request.signal.removeEventListener('abort', end)
      if (stdout.tooLong || stderr.tooLong) resolve({ kind: 'output-too-long', stderr: stderr.bytes() })
      else if (code === null) resolve({ kind: 'killed', stderr: stderr.bytes() })
      else resolve({ kind: 'exited', code, stdout: stdout.bytes(), stderr: stderr.bytes() })
    })
  })
}

/** The absolute path of an executable file, looked for as a shell would. */
async function findProgram(name: string): Promise<string | undefined> {
  const directories = (process.env['PATH'] ?? '/usr/bin:/bin')
    .split(':')
    .filter((each) => each.startsWith('/'))
  for (const candidate of name.includes('/') ? [name] : directories.map((each) => `${each}/${name}`)) {
    try {
      await access(candidate, constants.X_OK)
      if ((await stat(candidate)).isFile()) return candidate
    } catch {
      // not here: the next directory
    }
  }
  return undefined
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

function inherited(): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const name of INHERITED) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  return environment
}

class BoundedOutput {
  readonly #chunks: Buffer[] = []
  #length = 0
  tooLong = false

  constructor(
    readonly request: CommandRequest,
    readonly stop: () => void,
  ) {}

  add(chunk: Buffer): void {
    if (this.tooLong) return
    this.#length += chunk.length
    this.tooLong = this.#length > this.request.maxOutputBytes
    if (this.tooLong) this.stop()
    else this.#chunks.push(chunk)
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }
}
