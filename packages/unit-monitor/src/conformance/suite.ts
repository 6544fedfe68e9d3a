import type { Machine, MachineDescription } from '../machine.js'
import type { ConformanceContext, TestApi } from './context.js'
import { GuestTalk } from './guest-talk.js'

/** What the promises of one monitor are written with. */
export interface Suite {
  readonly expect: TestApi['expect']
  /** A test with a context of its own, which must be left without processes and files. */
  promise(sentence: string, body: (context: ConformanceContext) => Promise<void>, timeoutMs?: number): void
  started(context: ConformanceContext, description: MachineDescription): Promise<Machine>
  /** Its guest has said that it is ready. */
  booted(context: ConformanceContext, description: MachineDescription): Promise<Booted>
}

export interface Booted extends AsyncDisposable {
  readonly machine: Machine
  readonly guest: GuestTalk
}

export function suiteOf(makeContext: () => Promise<ConformanceContext>, { it, expect }: TestApi): Suite {
  const promise = (
    sentence: string,
    body: (context: ConformanceContext) => Promise<void>,
    timeoutMs = 120_000,
  ): void => {
    const run = async () => {
      const context = await makeContext()
      try {
        await body(context)
        expect(await context.leftovers()).toEqual([])
      } finally {
        await context[Symbol.asyncDispose]()
      }
    }
    it(sentence, run, timeoutMs)
  }
  const started = async (context: ConformanceContext, description: MachineDescription): Promise<Machine> => {
    // A machine whose devices are processes starts slowly where a guest boots slowly.
    const result = await context.monitor.start(description, { deadlineMs: context.bootMs })
    if (result.isErr()) throw new Error(`${result.error.kind}: ${result.error.message}`)
    return result.value
  }
  const booted = async (context: ConformanceContext, description: MachineDescription): Promise<Booted> => {
    const machine = await started(context, description)
    const guest = new GuestTalk(machine.control, context.clock, context.bootMs)
    try {
      expect(await guest.line()).toBe('ready')
    } catch (error) {
      await machine.kill()
      throw new Error(`the guest did not boot: ${machine.lastLines().join('\n')}`, { cause: error })
    }
    return { machine, guest, [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose]() }
  }
  return { expect, promise, started, booted }
}
