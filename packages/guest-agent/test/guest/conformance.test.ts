import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent } from '@spectrum/guest-agent'
import {
  agentConformance,
  type StoreSubject,
  storeConformance,
  type VolumeSubject,
  volumeConformance,
} from '@spectrum/guest-agent/conformance'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildTestPrograms } from '../support/built.js'
import { makeExt4, makeFlatImage, sealDevice } from '../support/image.js'
import { guestKernel, TestMachine } from '../support/machine.js'
import { SharedDirectory } from '../support/shared-directory.js'
import { collect } from '../support/streams.js'

const name = (letter: string) => `${letter.repeat(32)}-x`
const [probe, one, two, probeName, other] = ['c', 'a', 'b', 'd', 'f'].map(name) as [
  string,
  string,
  string,
  string,
  string,
]

const volumes = ['small', 'other', 'empty']

describe('the agent as PID 1 of a machine (software emulation)', () => {
  let directory: string
  let image: string
  /** Of a store, as it seems, at the end of a volume. */
  let falseImage: string
  let shared: SharedDirectory | undefined
  let machine: TestMachine | undefined
  let agent: Agent | undefined

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'guest-agent-image-'))
    for (const each of [probe, one]) mkdirSync(join(directory, 'tree', each), { recursive: true })
    cpSync(buildTestPrograms().probe, join(directory, 'tree', probe, 'probe'))
    writeFileSync(join(directory, 'tree', one, 'word'), 'one\n')
    writeFileSync(join(directory, 'tree', two), 'two\n')
    image = makeFlatImage(join(directory, 'tree'), join(directory, 'image'))
    for (const each of ['small', 'other']) makeExt4(join(directory, each), 6 << 20)
    writeFileSync(join(directory, 'empty'), Buffer.alloc(1 << 20))
    falseImage = sealDevice(join(directory, 'empty'))
  })

  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]()
    await shared?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The directory's entries come and go as a view's do. */
  async function show(names: readonly string[]): Promise<void> {
    for (const each of [probeName, other]) {
      const path = join(shared!.path, each)
      if (!names.includes(each)) rmSync(path, { recursive: true, force: true })
      else if (!existsSync(path)) {
        mkdirSync(path)
        cpSync(buildTestPrograms().probe, join(path, 'probe'))
      }
    }
  }

  // One machine serves the checks until one of them ends it.
  async function open(): Promise<StoreSubject & VolumeSubject> {
    if (agent === undefined) {
      await machine?.[Symbol.asyncDispose]()
      await shared?.[Symbol.asyncDispose]()
      shared = await SharedDirectory.serve(directory)
      machine = await TestMachine.boot({
        kernel: await guestKernel({ view: true, volumes: true }),
        volumes: Object.fromEntries(volumes.map((each) => [each, join(directory, each)])),
        pmem: [join(directory, 'image')],
        view: { tag: 'view', socket: shared.socket },
      })
      agent = (await machine.connect())._unsafeUnwrap()
      void agent.closed.then(() => {
        agent = undefined
      })
      ;(await agent.mountStore({ image, devices: [], paths: [probe] }))._unsafeUnwrap()
    }
    return {
      agent,
      probe: [`/nix/store/${probe}/probe`],
      services: '/run/spectrum/services',
      sockets: '/tmp',
      volumes: { small: 'small', other: 'other', empty: 'empty' },
      mount: { image, devices: [], paths: [one, two] },
      view: { tag: 'view', probeName, probeFile: 'probe', other, show },
      [Symbol.asyncDispose]: async () => {},
    }
  }

  // The first ends the machine; the next finds what it has left.
  for (const check of volumeConformance) it(check.name, () => check.run(open), 120_000)

  it('takes no volume for a part of the store, whatever is written to its end', async () => {
    const { agent } = await open()
    const mount = { image: falseImage, devices: [], paths: [one] }
    expect((await agent.mountStore(mount, { deadlineMs: 500 }))._unsafeUnwrapErr().kind).toBe('timed-out')
  })

  it('moves the clock that programs see, and lets volumes bring neither devices nor privileges', async () => {
    const { agent, probe: argv } = await open()
    const run = async (...verb: string[]) =>
      String(await collect((await agent.exec({ argv: [...argv, ...verb] }))._unsafeUnwrap().stdout))
    const before = Number(await run('clock'))
    ;(await agent.setClock(before * 1_000 + 86_400_000))._unsafeUnwrap()
    expect(Number(await run('clock')) - before).toBeGreaterThanOrEqual(86_400)
    expect(await run('print', '/proc/mounts')).toMatch(/ \/data ext4 rw,nosuid,nodev,/)
  })

  for (const check of storeConformance) it(check.name, () => check.run(open), 120_000)

  it('lets the kernel read half a MiB ahead in a view', async () => {
    const { agent, probe: argv } = await open()
    await show([probeName])
    ;(await agent.mountView({ tag: 'view', paths: [probeName] }))._unsafeUnwrap()
    const print = async (file: string) =>
      String(await collect((await agent.exec({ argv: [...argv, 'print', file] }))._unsafeUnwrap().stdout))
    const device = / (\d+:\d+) .* - virtiofs view /.exec(await print('/proc/self/mountinfo'))?.[1]
    expect(await print(`/sys/class/bdi/${device}/read_ahead_kb`)).toBe('512\n')
  })

  for (const check of agentConformance) it(check.name, () => check.run(open), 120_000)
})
