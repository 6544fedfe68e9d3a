#!/usr/bin/env node
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { architectures, compilerFor, isNative } from './architectures.mjs'
import { parseArguments, usage } from './arguments.mjs'
import { LabFailure } from './failure.mjs'
import { labInitramfs } from './initramfs.mjs'
import { findKernel, findNode } from './kernel.mjs'
import { LabMachine } from './machine.mjs'
import { OutputRelay } from './output-relay.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const say = (text) => process.stderr.write(`${text}\n`)

async function main() {
  const { options, problem } = parseArguments(process.argv.slice(2))
  if (problem) {
    say(`lab: ${problem}\n\n${usage}`)
    return 125
  }
  if (process.getuid() !== 0) {
    say('lab: run as root: virtiofsd serves the whole root of this machine to the lab')
    return 125
  }

  const cancelled = new AbortController()
  const cancel = (signal) => cancelled.abort(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, cancel)
  const timer = setTimeout(() => cancelled.abort('timeout'), options.timeoutSeconds * 1000)

  const directory = mkdtempSync(join(tmpdir(), 'spectrum-lab-')) // mode 0700
  try {
    return await runInLab(options, directory, cancelled.signal)
  } catch (failure) {
    if (cancelled.signal.aborted) return statusOfCancellation(cancelled.signal, options)
    if (!(failure instanceof LabFailure)) throw failure
    say(`lab: ${failure.message}`)
    return 125
  } finally {
    clearTimeout(timer)
    rmSync(directory, { recursive: true, force: true })
  }
}

async function runInLab(options, directory, signal) {
  const { architecture } = options
  const { root, modules } = architectures[architecture]
  const kernel = findKernel(process.env, architecture)
  const init = join(directory, 'init')
  const serveRoot = join(directory, 'serve-root')
  const initramfs = join(directory, 'initramfs')
  await Promise.all([
    compile(compilerFor(architecture), 'init.c', init, ['-static']),
    compile('gcc', 'serve-root.c', serveRoot, []),
  ])
  const task = {
    cwd: process.cwd(),
    timeoutSeconds: options.timeoutSeconds,
    command: options.command,
    environment: guestEnvironment(process.env, kernel, options),
    root,
    loader: foreignLoader(architecture),
  }
  writeFileSync(initramfs, labInitramfs({ init, kernel, modules, task }))
  signal.throwIfAborted()

  const { memoryMib, vcpus } = options
  const machine = await LabMachine.start({
    architecture,
    directory,
    serveRoot,
    kernelImage: kernel.image,
    initramfs,
    memoryMib,
    vcpus,
  })
  try {
    const relay = new OutputRelay(machine)
    // From then on not even SIGKILL leaves a file behind.
    relay.ready.then(() => rmSync(directory, { recursive: true, force: true }))
    const outcome = await relay.finish(signal)
    if (outcome.kind === 'cancelled') {
      if (signal.reason === 'timeout') explain(machine)
      return statusOfCancellation(signal, options)
    }
    if (outcome.kind === 'failed') {
      explain(machine)
      say(`lab: ${outcome.message}`)
      return 125
    }
    if (options.kernelLog) explain(machine)
    return outcome.status
  } finally {
    await machine.stop()
  }
}

function statusOfCancellation(signal, options) {
  if (signal.reason === 'timeout') {
    say(`lab: ended after ${options.timeoutSeconds} s (see --timeout)`)
    return 124
  }
  return { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal.reason] ?? 125
}

function explain(machine) {
  if (machine.complaints) say(`--- QEMU and virtiofsd\n${machine.complaints}`)
  say(`--- kernel log of the lab\n${printable(machine.kernelLog)}---`)
}

/** A kernel log can hold bytes that steer a terminal. */
const printable = (text) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to take out
  text.replace(/\r\n/g, '\n').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd')

/** Where programs of another architecture look for their dynamic loader, and where Debian's compiler keeps it. */
function foreignLoader(architecture) {
  const { loader, triplet } = architectures[architecture]
  return isNative(architecture)
    ? undefined
    : { path: loader, target: `/usr/${triplet}${loader.replace('lib64', 'lib')}` }
}

async function compile(compiler, source, output, flags) {
  try {
    await promisify(execFile)(compiler, [
      '-Os',
      '-Wall',
      '-Wextra',
      '-Werror',
      ...flags,
      '-o',
      output,
      join(here, source),
    ])
  } catch (cause) {
    throw new LabFailure(
      `cannot compile ${source}; ${compiler} and its C library are needed ("npm run setup"): ${cause.message}`,
    )
  }
}

/**
 * What COMMAND finds in its environment: where programs and caches are, the project's own variables, and what
 * was asked for. Paths mean the same in the lab as here.
 */
function guestEnvironment(environment, kernel, { architecture, environment: extra }) {
  const passed = Object.entries(environment).filter(
    ([name]) =>
      name.startsWith('SPECTRUM_') || name.startsWith('XDG_CACHE_') || ['HOME', 'PATH', 'CI'].includes(name),
  )
  const variables = new Map([
    ['LANG', 'C.UTF-8'],
    ['USER', 'root'],
    ...passed,
    ['SPECTRUM_LAB', architecture],
    ...foreignPlaces(environment, architecture),
    ['SPECTRUM_KERNEL', kernel.image],
    ['SPECTRUM_KERNEL_MODULES', kernel.modules],
    ...extra.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  ])
  return [...variables].map(([name, value]) => `${name}=${value}`)
}

/** Where a lab of another architecture finds its Node and its libraries. */
function foreignPlaces(environment, architecture) {
  if (isNative(architecture)) return []
  return [
    ['PATH', `${findNode(environment, architecture)}:${environment.PATH ?? ''}`],
    ['LD_LIBRARY_PATH', `/usr/${architectures[architecture].triplet}/lib`],
  ]
}

process.exitCode = await main()
