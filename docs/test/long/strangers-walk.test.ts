// The guide for strangers, followed word by word: each command is typed, each file written, each answer held against the
// page, in an empty directory with an empty home, with the packages as a release publishes them. Needs the packages
// built, a network, and root on a Debian, because the guide does.
//
// SPECTRUM_WALK_ROOT: a Debian with nothing but Node, in a directory that chroot can enter (with /proc, /dev and
// /sys, apt's sources, and certificates), to walk there instead of on this machine.
// SPECTRUM_WALK_TRANSCRIPT: a file for the transcript.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishRelease, runToEnd } from '../../../packages/cli/test/long/published.js'
import type { Registry } from '../../../packages/cli/test/long/registry.js'
import { blocksOf, textOf } from '../blocks.js'
import { fault, type Step, stepsOf } from '../walk.js'

const page = 'docs/guides/getting-started.md'
const root = process.env['SPECTRUM_WALK_ROOT'] ?? ''
const place = mkdtempSync(join(tmpdir(), 'walk-'))
/** Where the stranger is, as the stranger sees it. */
const home = root === '' ? join(place, 'home') : '/home/stranger'
const transcript: string[] = []

let registry: Registry
let cwd = home

beforeAll(async () => {
  const published = await publishRelease(place)
  registry = published.registry
  rmSync(root + home, { recursive: true, force: true })
  mkdirSync(root + home, { recursive: true })
  // What npm knows of this machine's network, and where this scope comes from. The stranger's own settings are empty.
  const known = async (name: string) =>
    (await runToEnd('npm', ['config', 'get', name], { cwd: place })).trim()
  const cafile = await known('cafile')
  const settings = [
    `registry=${await known('registry')}`,
    ...(cafile === 'null' ? [] : [`cafile=${cafile}`]),
    `@spectrum:registry=${registry.address}`,
  ]
  writeFileSync(`${root}/tmp/spectrum-walk-npmrc`, `${settings.join('\n')}\n`)
}, 900_000)

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]()
  rmSync(`${root}/tmp/spectrum-walk-npmrc`, { force: true })
  rmSync(place, { recursive: true, force: true })
  const file = process.env['SPECTRUM_WALK_TRANSCRIPT']
  if (file !== undefined) writeFileSync(file, transcript.join(''))
})

describe('a stranger with an empty directory and Node', () => {
  it('follows the guide word by word and ends with what a unit has printed', async () => {
    const steps = stepsOf(blocksOf(page), textOf(page))
    for (const step of steps) await take(step)
    const commands = steps.flatMap((step) => (step.kind === 'type' ? [step.words] : []))
    expect(commands.filter((command) => /^npx (spectrum run|tsx) /.test(command)).length).toBeGreaterThan(3)
    expect(commands.at(-1)).toMatch(/^npx spectrum run /)
  })
})

async function take(step: Step): Promise<void> {
  if (step.kind === 'write') {
    const file = join(root + cwd, step.file)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, step.text)
    transcript.push(`(writes ${step.file})\n`)
    return
  }
  const command = filled(step.words)
  transcript.push(`$ ${command}\n`)
  const { status, output } = await type(command)
  transcript.push(output)
  if (status !== 0 || fault(output, step.answer) !== undefined)
    throw new Error(
      `${page}:${step.line}: $ ${command}\nended with ${status}${fault(output, step.answer) ?? ''}\n${output}`,
    )
}

/** With what the machine has said where the page has `…`: the only store path of that name that was printed. */
function filled(command: string): string {
  return command.replaceAll(/\/nix\/store\/…-([\w.-]+)/g, (_, name: string) => {
    const printed = transcript.join('').matchAll(/^\/nix\/store\/[0-9a-z]{32}-([\w.-]+)$/gm)
    const [path, ...others] = new Set([...printed].filter(([, its]) => its === name).map(([path]) => path))
    if (path === undefined || others.length > 0) throw new Error(`which …-${name} is meant in: ${command}`)
    return path
  })
}

/** Types one line into a shell; where that leads is where the next one is typed. */
async function type(command: string): Promise<{ status: number | null; output: string }> {
  // One stream for both, as on a terminal: of two, nobody knows the order.
  const line = `exec 2>&1\ncd '${cwd}' || exit 1\n${command}\nstatus=$?\npwd >&3\nexit $status`
  const environment = [
    `HOME=${home}`,
    `PATH=${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    'NPM_CONFIG_GLOBALCONFIG=/tmp/spectrum-walk-npmrc',
    ...['NODE_EXTRA_CA_CERTS'].flatMap((name) => (process.env[name] ? [`${name}=${process.env[name]}`] : [])),
  ]
  const argv = ['env', '-i', ...environment, 'bash', '-c', line]
  const [file, ...rest] = root === '' ? argv : ['chroot', root, ...argv]
  const child = spawn(file!, rest, {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    timeout: 600_000,
    killSignal: 'SIGKILL',
  })
  let output = ''
  let there = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  ;(child.stdio[3] as NodeJS.ReadableStream).setEncoding('utf8').on('data', (text: string) => {
    there += text
  })
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  cwd = there.trim() || cwd
  return { status, output }
}
