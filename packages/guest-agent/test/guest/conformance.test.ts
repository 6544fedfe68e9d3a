import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent } from '@spectrum/guest-agent'
import { agentConformance, type ConformanceSubject } from '@spectrum/guest-agent/conformance'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { buildTestPrograms } from '../support/built.js'
import { makeFlatImage } from '../support/image.js'
import { guestKernel, TestMachine } from '../support/machine.js'

const name = `${'c'.repeat(32)}-probe`

describe('the agent as PID 1 of a machine (software emulation)', () => {
  let directory: string
  let image: string
  let machine: TestMachine | undefined
  let agent: Agent | undefined

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'guest-agent-image-'))
    mkdirSync(join(directory, 'tree', name), { recursive: true })
    cpSync(buildTestPrograms().probe, join(directory, 'tree', name, 'probe'))
    image = makeFlatImage(join(directory, 'tree'), join(directory, 'image'))
  })

  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  // One machine serves the checks until one of them ends it.
  async function open(): Promise<ConformanceSubject> {
    if (agent === undefined) {
      await machine?.[Symbol.asyncDispose]()
      machine = await TestMachine.boot({ kernel: await guestKernel(), pmem: [join(directory, 'image')] })
      agent = (await machine.connect())._unsafeUnwrap()
      void agent.closed.then(() => {
        agent = undefined
      })
      ;(await agent.mountStore({ image, devices: [], paths: [name] }))._unsafeUnwrap()
    }
    return {
      agent,
      probe: [`/nix/store/${name}/probe`],
      [Symbol.asyncDispose]: async () => {},
    }
  }

  for (const check of agentConformance) it(check.name, () => check.run(open), 120_000)
})
