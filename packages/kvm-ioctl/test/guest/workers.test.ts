import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { expect, type TestContext, test } from 'vitest'
import { openDescriptors, openedSince } from '../../../unix-fd/test/held.js'
import type { RealModeGuest } from '../../src/index.js'
import { here, loader, run } from '../native/programs.js'
import { withGuest, withKvm } from '../selftests/guest.js'

/** `add al, 1; mov [0x2000], al; out 0x80, al; again`, and one that never exits. */
const COUNTING = [0x04, 1, 0xa2, 0, 0x20, 0xe6, 0x80, 0xeb, 0xf7]
const SPINNING = [0xb0, 77, 0xa2, 0, 0x20, 0xeb, 0xfe]

interface Message {
  readonly kind: string
  readonly kicks: number
  readonly outs: number
  readonly seen: number
}

function start(guest: RealModeGuest, options: object) {
  const workerData = {
    program: './vcpu-worker.ts',
    vcpu: guest.vcpu.share()._unsafeUnwrap(),
    memory: guest.memory.share()._unsafeUnwrap(),
    ...options,
  }
  const worker = new Worker(new URL('../programs/with-loader.mjs', import.meta.url), { workerData })
  // A worker may end in the same turn in which its last message comes.
  const exited = once(worker, 'exit')
  const messages: Message[] = []
  worker.on('message', (message: Message) => messages.push(message))
  const failed = once(worker, 'error').then(([error]) => Promise.reject(error))
  failed.catch(() => undefined)
  const next = async (): Promise<Message> => {
    if (messages.length === 0) await Promise.race([failed, once(worker, 'message')])
    return messages.shift()!
  }
  return { worker, next, exited }
}

/** Not every one is this process's to use. */
const firstProcessor = () =>
  Number(/^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])

const guest = (context: TestContext, code: number[], use: (guest: RealModeGuest) => Promise<void>) =>
  withGuest(context, code, {}, use)

test('no request comes in between while a vCPU begins to run, where the kernel would keep it', (context) =>
  withKvm(context, () => {
    const program = [process.execPath, '--import', loader, here('../programs/ask-at-start.ts'), '1000']
    expect(run(program)).toEqual({ status: 0, output: expect.stringMatching(/^kicked,(ok,)?running$/) })
  }))

test('a loop that shares its only processor with the vCPU’s thread is seldom told of exits that come soon', (context) =>
  withKvm(context, () => {
    const EXITS = 4_000
    const program = [process.execPath, '--import', loader, here('../programs/turns-of-a-loop.ts'), `${EXITS}`]
    for (let tries = 0; tries < 8; tries += 1) {
      const { status, output } = run(['taskset', '-c', String(firstProcessor()), ...program], {}, 50_000)
      expect(status, output).toBe(0)
      const [exits, turns, share] = output.split(' ').map(Number)
      expect(exits).toBe(EXITS)
      // Being told takes a turn for each.
      if (turns! < EXITS / 2) return
      // Where another program wants the processor, too, looking is what costs, and there is nothing to be seen here.
      expect(share, `${turns} turns`).toBeLessThan(0.9)
    }
    context.skip('other programs took this processor each time')
  }))

test('a worker runs a vCPU of this thread, and no kick of hundreds is lost', (context) =>
  guest(context, SPINNING, async (made) => {
    const { next, exited } = start(made, { kicks: 300 })
    expect(await next()).toMatchObject({ kind: 'ready' })
    // Each is told of before the next, so that one swallowed would hang this test.
    let last = 0
    for (let kicks = 1; kicks <= 300; kicks += 1) {
      made.vcpu.kick()._unsafeUnwrap()
      const told = await next()
      expect(told).toMatchObject({ kind: 'kicked', kicks, outs: 0 })
      last = told.seen
    }
    expect(last).toBe(77)
    await exited
  }))

test('kicks that come between exits end one run each, and the exits all come', (context) =>
  guest(context, COUNTING, async (made) => {
    const { next, exited } = start(made, { kicks: 100 })
    await next()
    let before = 0
    for (let kicks = 1; kicks <= 100; kicks += 1) {
      made.vcpu.kick()._unsafeUnwrap()
      const { outs, seen } = await next()
      expect(outs).toBeGreaterThanOrEqual(before)
      // The guest has written what it told of, or the one after that.
      expect([outs & 0xff, (outs + 1) & 0xff]).toContain(seen)
      before = outs
    }
    await exited
  }))

test('a worker that is terminated in a guest that never exits ends, and leaves no descriptor', (context) =>
  guest(context, SPINNING, async (made) => {
    const before = openDescriptors()
    for (let round = 0; round < 2; round += 1) {
      const { worker, next } = start(made, { kicks: 1 })
      await next()
      await worker.terminate()
    }
    await expect.poll(() => openedSince(before)).toEqual([])
    made.vcpu.kick()._unsafeUnwrap()
    expect(made.vcpu.run()._unsafeUnwrap().kind).toBe('kicked')
  }))

test('a worker that ends with everything open leaves nothing behind, and this thread goes on', (context) =>
  guest(context, COUNTING, async (made) => {
    const before = openDescriptors()
    const { next, exited } = start(made, { kicks: 1, leavesItOpen: true })
    await next()
    made.vcpu.kick()._unsafeUnwrap()
    await next()
    await exited
    await expect.poll(() => openedSince(before)).toEqual([])
    expect(made.vcpu.run()._unsafeUnwrap().kind).toBe('io-out')
  }))

test('what another thread owns is refused here, and a token is taken once', (context) =>
  withGuest(context, [0xf4], {}, ({ vm, vcpu, memory }, kvm) => {
    const shared = vcpu.share()._unsafeUnwrap()
    using here = kvm.adoptVcpu(shared)._unsafeUnwrap()
    expect(here.id).toBe(0)
    expect(kvm.adoptVcpu(shared)._unsafeUnwrapErr()).toMatchObject({ errno: 'EBUSY' })
    expect(kvm.adoptVm({ handle: 0 })._unsafeUnwrapErr().kind).toBe('closed')
    using machine = kvm.adoptVm(vm.share()._unsafeUnwrap())._unsafeUnwrap()
    using second = machine.createVcpu(1)._unsafeUnwrap()
    expect(second.id).toBe(1)
    using same = kvm.adoptMemory(memory.share()._unsafeUnwrap())._unsafeUnwrap()
    expect(same.length).toBe(memory.length)
    // Two handles of one vCPU: a second run meets the first's registers.
    expect(here.run()._unsafeUnwrap().kind).toBe('hlt')
    expect(vcpu.getRegs()._unsafeUnwrap().rip).toBe(0x1001n)
  }))
