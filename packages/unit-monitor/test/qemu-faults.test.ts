import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Machine, type MonitorError, qemuMonitor } from '@spectrum/unit-monitor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../unix-fd/test/held.js'
import { qemuWorkshop, type Workshop } from './qemu-context.js'
import { stubQemu } from './stub-qemu.js'

const CONNECT = `const console_ = await connect('console'), control = await connect('control'), qmp = await connect('qmp');`

describe('the QEMU driver, when QEMU misbehaves', { timeout: 60_000 }, () => {
  let workshop: Workshop
  let descriptorsBefore: readonly string[]

  beforeEach(() => {
    descriptorsBefore = openDescriptors()
    workshop = qemuWorkshop('/bin/true', '/bin/true')
  })
  afterEach(async () => {
    expect(await workshop.leftovers()).toEqual([])
    await workshop[Symbol.asyncDispose]()
    // Sockets and pipes are closed in the turn after their owner lets them go.
    await expect.poll(() => openedSince(descriptorsBefore)).toEqual([])
  })

  const start = async (behaviour: string, deadlineMs = 30_000, hotplugSlots = 0) => {
    const binary = stubQemu(workshop.directory, behaviour)
    const monitor = qemuMonitor(workshop.powers, { binary, accelerator: 'emulation' })
    return monitor.start(await workshop.machine({ hotplugSlots }), { deadlineMs })
  }
  const failure = async (behaviour: string, deadlineMs?: number): Promise<MonitorError> =>
    (await start(behaviour, deadlineMs))._unsafeUnwrapErr()
  const running = async (behaviour: string, hotplugSlots = 0): Promise<Machine> =>
    (await start(CONNECT + behaviour, 30_000, hotplugSlots))._unsafeUnwrap()

  it('says which binary is missing', async () => {
    const monitor = qemuMonitor(workshop.powers, { binary: 'qemu-of-nobody', accelerator: 'emulation' })
    const error = (await monitor.start(await workshop.machine()))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'monitor-missing', binary: 'qemu-of-nobody' })
  })

  it('refuses a display, which it has no device for, before anything is started', async () => {
    const monitor = qemuMonitor(workshop.powers, { binary: '/bin/true', accelerator: 'emulation' })
    const machine = await workshop.machine({ display: { socket: '/run/w' } })
    const error = (await monitor.start(machine))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'unsupported', capability: 'display' })
    expect(monitor.capabilities.display).toBe(false)
    expect(workshop.spawned).toEqual([])
  })

  it('gives the last lines and the status of one that exits before it connects', async () => {
    const error = await failure(`console.error('no such \\x1b[31mboard'); process.exit(3)`)
    expect(error).toMatchObject({
      kind: 'monitor-died',
      status: 'exited with 3',
      lastLines: ['no such \\x1b[31mboard'],
    })
    expect(error.message).toContain('no such')
  })

  it('gives the status of one that exits between its connections', async () => {
    const error = await failure(`${CONNECT} console.error('late'); process.exit(4)`)
    expect(error).toMatchObject({ kind: 'monitor-died', status: 'exited with 4', lastLines: ['late'] })
  })

  it('names the signal that ended it', async () => {
    expect(await failure(`process.abort()`)).toMatchObject({
      kind: 'monitor-died',
      status: 'was ended by SIGABRT',
    })
  })

  it('waits for one that never connects until the deadline, then kills it', async () => {
    expect(await failure(`console.error('thinking')`, 2_000)).toMatchObject({
      kind: 'timed-out',
      lastLines: ['thinking'],
    })
  })

  it('waits for a greeting that never comes until the deadline', async () => {
    expect((await failure(CONNECT, 500)).kind).toBe('timed-out')
  })

  it.each([
    ['a line that is no JSON', `'hello\\n'`],
    ['a line without an end', `'x'.repeat(1 << 20)`],
    ['a JSON array', `'[]\\n'`],
    ['bytes that are no text', `Buffer.from([0, 255, 254, 10])`],
    ['an answer nobody asked for', `'{"QMP":{}}\\n{"return":{},"id":77}\\n'`],
  ])('refuses a monitor socket that sends %s', async (_, bytes) => {
    const error = await failure(`${CONNECT} qmp.write(${bytes})`)
    expect(error.kind).toBe('monitor-protocol')
    expect(error.message).not.toMatch(/\p{Cc}/u)
  })

  it('keeps a machine whose monitor socket breaks later, and refuses to extend it', async () => {
    const behaviour = `serve(qmp, {}); control.on('data', () => { qmp.write('broken\\n'); control.write('ok') })`
    await using machine = await running(behaviour, 1)
    await machine.control.write(Buffer.from('go'))
    for await (const bytes of machine.control.incoming) {
      expect(Buffer.from(bytes).toString()).toBe('ok')
      break
    }
    const added = await machine.addPmem(await workshop.pmem(2 << 20))
    expect(added._unsafeUnwrapErr().kind).toBe('monitor-protocol')
  })

  it('removes the memory again when the device is declined, and the slot stays free', async () => {
    const declined = `{ error: { class: 'GenericError', desc: 'no\\x1b' } }`
    await using machine = await running(`serve(qmp, { device_add: ${declined} })`, 1)
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = (await machine.addPmem(await workshop.pmem(2 << 20)))._unsafeUnwrapErr()
      expect(error.kind).toBe('monitor-protocol')
      expect(error.message).toContain('no\\x1b')
    }
    // What the program prints comes by another way than its answers, and may come after them.
    const commands = () => machine.lastLines().flatMap((line) => /^command (\S+)/.exec(line)?.[1] ?? [])
    const attempt = ['object-add', 'device_add', 'object-del']
    await expect.poll(commands).toEqual(['qmp_capabilities', ...attempt, ...attempt])
  })

  it('does not wait for ever for an answer, nor use the slot of an unanswered command again', async () => {
    await using machine = await running(`serve(qmp, { device_add: undefined })`, 1)
    const { pmemBytes } = machine.room
    const first = await machine.addPmem(await workshop.pmem(2 << 20), { deadlineMs: 200 })
    expect(first._unsafeUnwrapErr().kind).toBe('timed-out')
    // The guest may manage it all the same.
    expect(machine.room).toEqual({ slots: 0, pmemBytes: pmemBytes - (2 << 20) })
    const second = await machine.addPmem(await workshop.pmem(2 << 20), { deadlineMs: 200 })
    expect(second._unsafeUnwrapErr().kind).toBe('no-slot-left')
  })

  it('aborts an addition whose answer never comes', async () => {
    await using machine = await running(`serve(qmp, { 'object-add': undefined })`, 1)
    const controller = new AbortController()
    const adding = machine.addPmem(await workshop.pmem(2 << 20), { signal: controller.signal })
    controller.abort()
    expect((await adding)._unsafeUnwrapErr().kind).toBe('aborted')
  })

  it('does not wait for ever to be held still, and can be killed all the same', async () => {
    await using machine = await running(`serve(qmp, { stop: undefined })`)
    expect((await machine.pause!({ deadlineMs: 200 }))._unsafeUnwrapErr().kind).toBe('timed-out')
    const paused = machine.pause!({ signal: AbortSignal.abort() })
    expect((await paused)._unsafeUnwrapErr().kind).toBe('aborted')
    expect((await machine.kill())._unsafeUnwrap()).toEqual({ kind: 'killed' })
  })

  it('takes back memory that was given up, and never gives its id to the next', async () => {
    const once = `{ get 'object-add'() { return this.asked++ ? { return: {} } : undefined }, asked: 0 }`
    await using machine = await running(`serve(qmp, ${once})`, 1)
    const device = await workshop.pmem(2 << 20)
    expect((await machine.addPmem(device, { deadlineMs: 200 }))._unsafeUnwrapErr().kind).toBe('timed-out')
    expect((await machine.addPmem(device)).isOk()).toBe(true)
    const told = () =>
      machine.lastLines().flatMap((line) => {
        const [, command, args] = /^command (object-\S+) (.*)$/.exec(line) ?? []
        return command === undefined ? [] : [`${command} ${JSON.parse(args!).id}`]
      })
    await expect.poll(told).toEqual(['object-add hotmem0', 'object-del hotmem0', 'object-add hotmem1'])
  })

  it('refuses a file that does not have the size it is said to have', async () => {
    await using machine = await running('serve(qmp, {})', 1)
    const device = await workshop.pmem(2 << 20)
    const error = (await machine.addPmem({ ...device, sizeBytes: 4 << 20 }))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'invalid-description', field: 'sizeBytes' })
  })

  it('tells how a machine ended from what QEMU said before it exited', async () => {
    const exits = async (reason: string, code: number) => {
      const say = `qmp.write(JSON.stringify({ event: 'SHUTDOWN', data: { reason: '${reason}' } }) + '\\n')`
      const behaviour = `serve(qmp, {}); control.on('data', () => { ${say}; setTimeout(() => process.exit(${code}), 50) })`
      await using machine = await running(behaviour)
      await machine.control.write(Buffer.from('end'))
      return await machine.exit
    }
    expect(await exits('guest-shutdown', 0)).toEqual({ kind: 'powered-off' })
    expect(await exits('guest-reset', 0)).toMatchObject({ kind: 'failed', reason: 'guest-reset', code: 0 })
    expect(await exits('guest-panic', 0)).toMatchObject({ kind: 'failed', reason: 'guest-panicked' })
    expect(await exits('host-signal', 0)).toMatchObject({ kind: 'failed', reason: 'stopped-from-outside' })
    expect(await exits('guest-shutdown', 1)).toMatchObject({
      kind: 'failed',
      reason: 'monitor-failed',
      code: 1,
    })
    expect(await exits('', 0)).toMatchObject({ kind: 'failed', reason: 'monitor-failed', code: 0 })
  })

  it('refuses a directory that holds a socket already, and leaves it alone', async () => {
    const description = await workshop.machine()
    writeFileSync(join(description.directory, 'control.sock'), 'of somebody else')
    const error = (await workshop.monitor.start(description))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'system', code: 'EADDRINUSE' })
    expect(readdirSync(description.directory)).toEqual(['control.sock'])
    rmSync(join(description.directory, 'control.sock'))
  })

  it.each(['kernel', 'initramfs', 'directory'])('refuses a %s that does not exist', async (field) => {
    const description = await workshop.machine({ [field]: '/nowhere/at/all' })
    const error = (await workshop.monitor.start(description))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'invalid-description', field })
  })

  it('reports a directory that does not exist even without the power to look', async () => {
    const { files: _, ...powers } = workshop.powers
    const monitor = qemuMonitor(powers, { accelerator: 'emulation' })
    const description = await workshop.machine({ directory: '/nowhere/at/all' })
    expect((await monitor.start(description))._unsafeUnwrapErr()).toMatchObject({
      kind: 'system',
      code: 'ENOENT',
    })
  })

  it('reads no more of a flooding console than its bounds, and still ends at once', async () => {
    const flood = `serve(qmp, {}); const more = () => { while (console_.write('x'.repeat(65536) + '\\n')); }; console_.on('drain', more); more()`
    const machine = await running(flood)
    const heard: string[] = []
    machine.events.on('log', ({ text }) => heard.push(text))
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(heard.length).toBeLessThan(250)
    expect(Math.max(...machine.lastLines().map((line) => line.length))).toBeLessThan(1_100)
    const before = performance.now()
    await machine[Symbol.asyncDispose]()
    expect(performance.now() - before).toBeLessThan(10_000)
  })
})
