/**
 * From the call of `unit.inject()` to the moment at which the unit has bound the new path, by devices and by the view,
 * on stores of 1, 60 and 600 paths beside what is injected. The peer is the hot-plug itself: from asking the monitor
 * until the unit's kernel has the devices. A view needs none, so its peer is the same hot-plug.
 *
 * When the kernel has a device nobody tells, so each path is injected twice: revoked in between, its devices
 * are in the machine the second time. What the second one takes after the preparation is what mounting and binding
 * take; what the first one takes longer is the hot-plug. Medians.
 *
 *   npm run bench -- inject [--json] [--rounds N]
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { nixDatabase } from '@spectrum/store-share/linux'
import { closure, compose, defineUnit, openHost } from '../src/index.js'
import { median, print } from './report/figure.js'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '6' } },
})
const rounds = Number(values.rounds)
const SIZES = [1, 60, 600] as const
const WAYS = ['devices', 'view'] as const

const run = promisify(execFile)
const env = { ...process.env, NIX_CONFIG: 'build-users-group =\nsandbox = false\nsubstituters =' }
const directory = await mkdtemp(join(tmpdir(), 'inj-'))

/** A store below a root of its own with so many paths of one file each. */
async function makeStore(root: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => join(root, 'sources', `path-${index}`))
  for (const [index, name] of names.entries()) {
    await mkdir(name, { recursive: true })
    await writeFile(join(name, 'content'), `${index}`.padEnd(4096, '.'))
  }
  const { stdout } = await run('nix-store', ['--store', root, '--add', ...names], { env, maxBuffer: 1 << 24 })
  return stdout.trim().split('\n')
}

interface Sample {
  /** All of the call. */
  readonly whole: number
  /** From asking the monitor for devices until the unit's kernel has them; nothing by the view. */
  readonly plugging: number
}

async function measure(size: number, way: (typeof WAYS)[number]) {
  const root = join(directory, `${way[0]}${size}`)
  const paths = await makeStore(root, size + rounds + 1)
  const [first = '', ...later] = paths
  await using host = (
    await openHost({
      // It reads the store's database itself: the `nix-store` command takes longer than all of an injection.
      store: nixDatabase({ root }),
      injection: way,
      stateDirectory: join(root, 'state'),
      cacheDirectory: join(root, 'cache'),
    })
  )._unsafeUnwrap()
  const graph = compose({
    unit: defineUnit('unit', { store: closure(first), hotplugSlots: 2 * rounds + 2 }),
  })._unsafeUnwrap()
  const { unit } = (await host.start(graph))._unsafeUnwrap()
  let begun = Number.NaN
  host.events.on('step', ({ step }) => {
    if (step === 'inject-begun') begun = performance.now()
  })
  /** How long the call took, and how long of it after everything was prepared. */
  const inject = async (path: string, devices: number) => {
    const start = performance.now()
    const report = (await unit.inject(closure(path)))._unsafeUnwrap()
    const end = performance.now()
    if (report.way !== way || report.added.length !== 1 || report.devices !== devices)
      throw new Error(`injected ${JSON.stringify(report)}`)
    return { whole: end - start, changing: end - begun }
  }
  const samples: Sample[] = []
  for (const path of later.slice(0, rounds + 1)) {
    const first = await inject(path, way === 'devices' ? 2 : 0)
    if (way === 'view') {
      samples.push({ whole: first.whole, plugging: 0 })
      continue
    }
    ;(await unit.revoke(closure(path)))._unsafeUnwrap()
    const again = await inject(path, 0)
    samples.push({ whole: first.whole, plugging: first.changing - again.changing })
  }
  const accelerator = host.monitor.accelerator
  // The first one makes what all later ones find.
  return { samples: samples.slice(1), accelerator }
}

const byDevices: number[] = []
for (const size of SIZES) {
  for (const way of WAYS) {
    const { samples, accelerator } = await measure(size, way)
    const whole = median(samples.map((sample) => sample.whole))
    const plugging = median(samples.map((sample) => sample.plugging))
    if (way === 'devices') byDevices.push(plugging)
    const peer = way === 'devices' ? plugging : byDevices.at(-1)!
    const name = `inject: by ${way}, store of ${size} paths`
    const figure = { unit: 'ms', accelerator }
    print({ name: `${name}, against the hot-plug`, ours: whole, peer, ...figure }, values.json, 1)
    const beyond = median(samples.map((sample) => sample.whole - sample.plugging))
    const aim = `${name}, beyond the hot-plug, against 50 ms`
    print({ name: aim, ours: beyond, peer: 50, ...figure }, values.json, 1)
  }
}
await rm(directory, { recursive: true })
