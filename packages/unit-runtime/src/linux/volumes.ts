import { constants } from 'node:fs'
import { open, rename, rm, stat, truncate } from 'node:fs/promises'
import { dirname } from 'node:path/posix'
import { escapeText, type ProcessExit, type Processes, type SpawnedProcess } from '@spectrum/unit-monitor'
import { unixFd } from '@spectrum/unix-fd/linux'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { OpenVolume, VolumeFailure, VolumePower, VolumeRequest } from '../volumes/volume-power.js'
import { linuxHostFiles } from './host-files.js'

/** How long a tool that was killed may take to end. */
const KILL_MS = 2_000

/** Volumes as sparse files with ext4 in them, made by e2fsprogs. */
export const linuxVolumes: VolumePower = (request) => new ResultAsync(take(request))

async function take(request: VolumeRequest): Promise<Result<OpenVolume, VolumeFailure>> {
  try {
    return await makeAndHold(request)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      return failed('system', `there is no room on the disk of ${request.path} (${code}); free some`)
    }
    return failed('system', `its file cannot be used: ${message}`)
  }
}

async function makeAndHold(request: VolumeRequest): Promise<Result<OpenVolume, VolumeFailure>> {
  const { path, lock, sizeBytes } = request
  await linuxHostFiles.makeDirectory(dirname(path))
  await linuxHostFiles.makeDirectory(dirname(lock))
  // The kernel gives the lock back when this process ends, however it ends.
  const held = unixFd().andThen((descriptors) => descriptors.listen(lock, 'stream', { lock: true }))
  if (held.isErr()) {
    if (held.error.kind !== 'address-in-use') return failed('system', held.error.message)
    return failed('in-use', 'another machine has it; stop that one first')
  }
  const listener = held.value
  const tools = new Set<Promise<unknown>>()
  let done = false
  try {
    const prepared = await prepare({ ...request, tools })
    if (prepared.isErr()) return err(prepared.error)
    done = true
    return ok({
      path,
      sizeBytes: Math.max(sizeBytes, prepared.value),
      async [Symbol.asyncDispose]() {
        listener.close()
      },
    })
  } finally {
    // A tool that could not be ended writes into the file still: nobody may have it before that is over.
    if (!done && tools.size > 0) void Promise.all(tools).then(() => listener.close())
    else if (!done) listener.close()
  }
}

interface Preparation extends VolumeRequest {
  /** Ends of the programs that run. */
  readonly tools: Set<Promise<unknown>>
}

/** Bytes of the file, which has a file system of that size. */
async function prepare(request: Preparation): Promise<Result<number, VolumeFailure>> {
  const { path, sizeBytes } = request
  const now = await stat(path).then(
    ({ size }) => size,
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined
      throw cause
    },
  )
  if (now === undefined) return make(request)
  if (now > sizeBytes) {
    return failed('would-shrink', `it has ${now} bytes and is to have ${sizeBytes}; volumes only grow`)
  }
  // A growth that was cut short is done again: the file may be longer than what is in it.
  const growing = `${path}.growing`
  const cutShort = (await stat(growing).catch(() => undefined)) !== undefined
  if (now === sizeBytes && !cutShort) return ok(now)
  await (await open(growing, constants.O_WRONLY | constants.O_CREAT, 0o600)).close()
  await truncate(path, sizeBytes)
  // 1: mended. What it cannot mend without asking is left as it is.
  const checked = await run(request, 'e2fsck', ['-f', '-p', path], [0, 1])
  if (checked.isErr()) return err(checked.error)
  const grown = await run(request, 'resize2fs', [path], [0])
  if (grown.isErr()) return err(grown.error)
  await rm(growing, { force: true })
  return ok(sizeBytes)
}

/** Under another name first: what has the volume's own name is whole. */
async function make(request: Preparation): Promise<Result<number, VolumeFailure>> {
  const { path, sizeBytes, unfinished } = request
  await rm(unfinished, { force: true })
  const file = await open(unfinished, 'wx', 0o600)
  try {
    await file.truncate(sizeBytes)
  } finally {
    await file.close()
  }
  const options = 'root_owner=0:0,nodiscard,lazy_itable_init=1,lazy_journal_init=1'
  const made = await run(request, 'mkfs.ext4', ['-q', '-F', '-m', '0', '-E', options, unfinished], [0])
  if (made.isErr()) return err(made.error)
  const written = await open(unfinished, 'r+')
  try {
    await written.sync()
  } finally {
    await written.close()
  }
  await rename(unfinished, path)
  return ok(sizeBytes)
}

/** A program that reads what a unit wrote: without privileges, and only while it is waited for. */
async function run(
  { processes, signal, tools }: Preparation,
  program: string,
  argv: readonly string[],
  fine: readonly number[],
): Promise<Result<void, VolumeFailure>> {
  if (signal.aborted) return failed('aborted', `${program} was not begun`)
  const child = await spawn(processes, program, argv)
  if (child === undefined) {
    return failed('no-tools', `there is no ${program}; install e2fsprogs`)
  }
  tools.add(child.exit)
  void child.exit.then(() => tools.delete(child.exit))
  const ended = heard(child)
  const end = await orGivenUp(ended, child, signal)
  if (end === undefined) {
    const message = `${program} was killed and has not ended: it hangs in the kernel, and has the volume until it ends`
    return failed('aborted', message)
  }
  if (signal.aborted) return failed('aborted', `${program} was given up`)
  if (end.kind === 'exited' && fine.includes(end.code)) return ok(undefined)
  const how = end.kind === 'exited' ? `status ${end.code}` : end.signal
  // It begins with the label of the file system, which a unit wrote.
  const words = escapeText(end.said.trim())
  return failed('damaged', `${program} ended with ${how}: ${words}; look at the file with e2fsck`)
}

/** How it ended, and what it said last. */
async function heard(child: SpawnedProcess): Promise<ProcessExit & { readonly said: string }> {
  let said = ''
  for await (const bytes of child.output) said = `${said}${new TextDecoder().decode(bytes)}`.slice(-400)
  return { ...(await child.exit), said }
}

/** Kills it when `signal` aborts. Undefined: it has not ended of that, as one that waits for its disk. */
async function orGivenUp<T>(
  ended: Promise<T>,
  child: SpawnedProcess,
  signal: AbortSignal,
): Promise<T | undefined> {
  let kill = () => {}
  let late: ReturnType<typeof setTimeout> | undefined
  const hangs = new Promise<undefined>((resolve) => {
    kill = () => {
      child.kill()
      late = setTimeout(() => resolve(undefined), KILL_MS)
    }
  })
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    return await Promise.race([ended, hangs])
  } finally {
    signal.removeEventListener('abort', kill)
    clearTimeout(late)
  }
}

/** They are for administrators, so a user's search path may not have them. */
async function spawn(processes: Processes, program: string, argv: readonly string[]) {
  for (const file of [program, `/usr/sbin/${program}`, `/sbin/${program}`]) {
    try {
      return await processes.spawn({ file, argv, role: `volume: ${program}`, powerless: true })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    }
  }
  return undefined
}

function failed(reason: VolumeFailure['reason'], message: string): Result<never, VolumeFailure> {
  return err({ reason, message })
}
