import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent } from '@spectrum/guest-agent'
import { agentConformance, type StoreSubject, storeConformance } from '@spectrum/guest-agent/conformance'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { buildTestPrograms } from '../support/built.js'
import { makeFlatImage } from '../support/image.js'
import { guestKernel, TestMachine } from '../support/machine.js'
import { SharedDirectory } from '../support/shared-directory.js'

const name = (letter: string) => `${letter.repeat(32)}-x`
const [probe, one, two, probeName, other] = ['c', 'a', 'b', 'd', 'f'].map(name) as [
  string,
  string,
  string,
  string,
  string,
]

describe('the agent as PID 1 of a machine (software emulation)', () => {
  let directory: string
  let image: string
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
  async function open(): Promise<StoreSubject> {
    if (agent === undefined) {
      await machine?.[Symbol.asyncDispose]()
      await shared?.[Symbol.asyncDispose]()
      shared = await SharedDirectory.serve(directory)
      machine = await TestMachine.boot({
        kernel: await guestKernel({ view: true }),
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
      mount: { image, devices: [], paths: [one, two] },
      view: { tag: 'view', probeName, probeFile: 'probe', other, show },
      [Symbol.asyncDispose]: async () => {},
    }
  }

  for (const check of storeConformance) it(check.name, () => check.run(open), 120_000)
  for (const check of agentConformance) it(check.name, () => check.run(open), 120_000)
})
