/**
 * What every driver of a monitor keeps, as one suite for vitest or jest.
 *
 * @packageDocumentation
 */

import { createHash } from 'node:crypto'
import type {
  ByteChannel,
  Machine,
  MachineDescription,
  MachineExit,
  MachineView,
  Monitor,
  PmemDevice,
} from './machine.js'
import type { Clock } from './powers.js'
import { Patience } from './waiting.js'

export { echoGuest } from './echo-guest.js'

/** What one monitor brings to its conformance tests. Made anew for each test, disposed after it. */
export interface ConformanceContext extends AsyncDisposable {
  readonly monitor: Monitor
  readonly clock: Clock
  /** A bootable description with a fresh directory, whose guest speaks like `echoGuest`. */
  machine(changes?: Partial<MachineDescription>): Promise<MachineDescription>
  /** A description whose monitor dies before the control channel is connected, saying why. */
  dyingMachine(): Promise<MachineDescription>
  /** A fresh device whose file holds zeroes. */
  pmem(sizeBytes: number): Promise<PmemDevice>
  /** Whether the guest has changed a byte of the file. */
  isUntouched(device: PmemDevice): Promise<boolean>
  /** Serves an empty directory as the view of one machine. */
  view(): Promise<ConformanceView>
  /** Processes this context has started that still run, and what is left in the directories it gave out. */
  leftovers(): Promise<readonly string[]>
  /** How long a machine may take to start, and its guest to boot. */
  readonly bootMs: number
}

/** A view's server, for one machine. */
export interface ConformanceView extends AsyncDisposable {
  readonly view: MachineView
  /** From now on it shows exactly these names. */
  show(names: readonly string[]): Promise<void>
}

/** The three functions of a test library that the suite uses; vitest's fit. */
export interface TestApi {
  /** As vitest's and jest's. */
  describe(name: string, body: () => void): void
  /** As vitest's and jest's. */
  it(name: string, body: () => Promise<void>, timeoutMs?: number): void
  /** As vitest's and jest's, with the few matchers that are used. */
  expect(actual: unknown): {
    /** The same value. */
    toBe(expected: unknown): void
    /** An equal value, all the way down. */
    toEqual(expected: unknown): void
    /** At least these properties. */
    toMatchObject(expected: object): void
  }
}

const MIB = 1024 * 1024
/** The part of the time for a boot in which a guest that is not held still answers. */
const STILL = 1 / 40

/** What every driver promises, as tests. A driver that passes can stand wherever another one stands. */
export function monitorConformance(
  name: string,
  makeContext: () => Promise<ConformanceContext>,
  { describe, it, expect }: TestApi,
): void {
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

  describe(`${name} keeps the promises of a monitor`, () => {
    promise('start connects the control channel and the guest answers on it', async (context) => {
      await using unit = await booted(context, await context.machine({ name: 'answering' }))
      expect(unit.machine.name).toBe('answering')
      expect(unit.machine.processes.every(({ pid }) => Number.isInteger(pid) && pid > 1)).toBe(true)
    })

    promise('bytes go both ways byte-exact, one and one mebibyte of them', async (context) => {
      await using unit = await booted(context, await context.machine())
      for (const length of [1, 4096, 65_537, MIB]) {
        const sent = pattern(length)
        const returned = unit.guest.echo(sent)
        expect(digest(await returned)).toBe(digest(sent))
      }
    })

    promise('bytes sent before the guest has booted are kept for it', async (context) => {
      await using machine = await started(context, await context.machine())
      const guest = new GuestTalk(machine.control, context.clock, context.bootMs)
      await guest.send('echo 5\nearly')
      expect(await guest.line()).toBe('ready')
      expect(new TextDecoder().decode(await guest.take(5))).toBe('early')
    })

    promise('a machine that dies at start is an error with its last lines', async (context) => {
      const result = await context.monitor.start(await context.dyingMachine())
      const error = result.isErr() ? result.error : undefined
      expect(error?.kind).toBe('monitor-died')
      expect(error?.kind === 'monitor-died' && error.lastLines.length > 0).toBe(true)
    })

    promise('a guest that powers off has exited as powered-off, once', async (context) => {
      const unit = await booted(context, await context.machine())
      const seen: MachineExit[] = []
      unit.machine.events.on('exit', (exit) => seen.push(exit))
      await unit.guest.send('off\n')
      expect(await unit.machine.exit).toEqual({ kind: 'powered-off' })
      expect(await unit.guest.ended()).toBe(true)
      const again = await unit.machine.kill()
      expect(again.isOk() && again.value).toEqual({ kind: 'powered-off' })
      await unit[Symbol.asyncDispose]()
      expect(seen).toEqual([{ kind: 'powered-off' }])
    })

    promise('a guest that panics has failed', async (context) => {
      await using unit = await booted(context, await context.machine())
      await unit.guest.send('crash\n')
      const exit = await unit.machine.exit
      expect(exit.kind).toBe('failed')
      const reason = exit.kind === 'failed' ? exit.reason : ''
      expect(['guest-reset', 'guest-panicked'].includes(reason)).toBe(true)
    })

    promise('kill ends a machine whose guest hangs, is idempotent, and ends the channel', async (context) => {
      const unit = await booted(context, await context.machine())
      await unit.guest.send('hang\n')
      const kills = await Promise.all([unit.machine.kill(), unit.machine.kill()])
      expect(kills.map((kill) => kill.isOk() && kill.value)).toEqual([{ kind: 'killed' }, { kind: 'killed' }])
      const later = await unit.machine.kill()
      expect(later.isOk() && later.value).toEqual({ kind: 'killed' })
      expect(await unit.machine.exit).toEqual({ kind: 'killed' })
      expect(await unit.guest.ended()).toBe(true)
      const refused = await unit.machine.control.write(Uint8Array.of(1)).then(
        () => false,
        () => true,
      )
      expect(refused).toBe(true)
    })

    promise(
      'a paused machine keeps still until it is resumed, then goes on where it stood, and can be killed',
      async (context) => {
        const { pause } = context.monitor.capabilities
        await using unit = await booted(context, await context.machine())
        const { machine, guest } = unit
        expect(machine.pause !== undefined && machine.resume !== undefined).toBe(pause)
        if (!pause) return
        const done = async (what: 'pause' | 'resume') => {
          const told = await machine[what]?.()
          expect(told?.isErr() ? told.error : what).toBe(what)
        }
        await done('pause')
        await done('pause')
        const sent = pattern(4096)
        let answered = false
        const returned = guest.echo(sent).finally(() => {
          answered = true
        })
        using moment = context.clock.deadline(Math.min(500, context.bootMs * STILL))
        if (!moment.signal.aborted)
          await new Promise((resolve) => moment.signal.addEventListener('abort', resolve, { once: true }))
        expect(answered).toBe(false)
        await done('resume')
        await done('resume')
        expect(digest(await returned)).toBe(digest(sent))
        // It dies as well while it stands still, and neither is possible afterwards.
        await done('pause')
        const killed = await machine.kill()
        expect(killed.isOk() && killed.value).toEqual({ kind: 'killed' })
        expect((await machine.pause?.())?.isErr()).toBe(true)
        expect((await machine.resume?.())?.isErr()).toBe(true)
      },
    )

    promise('disposing a machine that still boots kills it', async (context) => {
      const machine = await started(context, await context.machine())
      await machine[Symbol.asyncDispose]()
      expect(await machine.exit).toEqual({ kind: 'killed' })
    })

    promise('a start that is aborted at any moment leaves nothing', async (context) => {
      for (const afterMs of [0, 1, 5, 20, 50, 100]) {
        const description = await context.machine()
        using moment = context.clock.deadline(afterMs)
        const result = await context.monitor.start(description, { signal: moment.signal })
        if (result.isOk()) await result.value.kill()
        else expect(result.error.kind).toBe('aborted')
        expect(await context.leftovers()).toEqual([])
      }
      const result = await context.monitor.start(await context.machine(), { signal: AbortSignal.abort() })
      expect(result.isErr() && result.error.kind).toBe('aborted')
    })

    promise('two machines run at the same time without seeing each other', async (context) => {
      const descriptions = [
        await context.machine({ name: 'left' }),
        await context.machine({ name: 'right', pmem: [await context.pmem(2 * MIB)] }),
      ] as const
      await using left = await booted(context, descriptions[0])
      await using right = await booted(context, descriptions[1])
      expect(await left.guest.pmem()).toEqual([])
      await right.guest.until(async () => (await right.guest.pmem()).length === 1)
      expect(await right.guest.pmem()).toEqual([2 * MIB])
      await left.machine.kill()
      expect(digest(await right.guest.echo(pattern(100)))).toBe(digest(pattern(100)))
    })

    promise('pmem devices have their exact sizes and cannot be written by the guest', async (context) => {
      const devices = [await context.pmem(2 * MIB), await context.pmem(6 * MIB)]
      await using unit = await booted(context, await context.machine({ pmem: devices }))
      await unit.guest.until(async () => (await unit.guest.pmem()).length === 2)
      expect(await unit.guest.pmem()).toEqual([2 * MIB, 6 * MIB])
      await unit.guest.send('poke\n')
      expect(await unit.guest.line()).toBe('poked')
      for (const device of devices) expect(await context.isUntouched(device)).toBe(true)
    })

    promise('disks have their exact sizes and cannot be written by the guest', async (context) => {
      const disks = [await context.pmem(2 * MIB), await context.pmem(6 * MIB)]
      const [first, second] = disks as [PmemDevice, PmemDevice]
      const description = await context.machine({ block: [first], hotplugSlots: 1 })
      await using unit = await booted(context, description)
      await unit.guest.until(async () => (await unit.guest.sizes('block')).length === 1)
      expect(await unit.guest.sizes('block')).toEqual([2 * MIB])
      if (context.monitor.capabilities.blockHotplug) {
        const added = await unit.machine.addBlock?.(second)
        expect(added?.isErr() ? added.error : 'added').toBe('added')
        await unit.guest.until(async () => (await unit.guest.sizes('block')).length === 2)
        expect(await unit.guest.sizes('block')).toEqual([2 * MIB, 6 * MIB])
      }
      await unit.guest.send('poke\n')
      expect(await unit.guest.line()).toBe('poked')
      for (const disk of disks) expect(await context.isUntouched(disk)).toBe(true)
    })

    promise(
      'a view shows its machine what its server shows, also what comes and goes later',
      async (context) => {
        await using served = await context.view()
        const { view } = served
        const pmem = [await context.pmem(2 * MIB)]
        await using unit = await booted(context, await context.machine({ view, pmem }))
        for (const names of [[], ['glibc'], ['gdb', 'glibc'], ['gdb']]) {
          await served.show(names)
          await unit.guest.until(async () => (await unit.guest.view(view.tag)).join() === names.join())
          expect(await unit.guest.view(view.tag)).toEqual(names)
        }
        expect(await unit.guest.sizes('pmem')).toEqual([2 * MIB])
      },
    )

    promise(
      'lastLines is bounded, keeps the newest, and says them once',
      async (context) => {
        await using unit = await booted(context, await context.machine())
        await unit.guest.send('say 2000\n')
        expect(await unit.guest.line()).toBe('said')
        await unit.guest.until(() => unit.machine.lastLines().some((line) => line.endsWith('line 1999')))
        const lines = unit.machine.lastLines()
        expect(lines.length <= 1000).toBe(true)
        expect(lines.filter((line) => line.endsWith('line 1999')).length).toBe(1)
      },
      300_000,
    )

    promise('what a guest prints is escaped before anybody sees it', async (context) => {
      await using unit = await booted(context, await context.machine())
      const events: string[] = []
      unit.machine.events.on('log', ({ text }) => events.push(text))
      await unit.guest.send('spoil\n')
      expect(await unit.guest.line()).toBe('said')
      await unit.guest.until(() => events.some((line) => line.includes('end')))
      for (const line of [...events, ...unit.machine.lastLines()])
        expect(/[\p{Cc}\p{Cf}]/u.test(line)).toBe(false)
      expect(events.some((line) => line.includes('\\x1b[31mred'))).toBe(true)
    })

    promise('an invalid description is refused by its field before anything starts', async (context) => {
      const device = await context.pmem(2 * MIB)
      for (const [field, changes] of invalidChanges(device)) {
        const result = await context.monitor.start(await context.machine(changes))
        expect(result.isErr() && result.error).toMatchObject({ kind: 'invalid-description', field })
        expect(await context.leftovers()).toEqual([])
      }
    })

    hotplug(promise, booted, expect)
  })
}

type Promised = (sentence: string, body: (context: ConformanceContext) => Promise<void>) => void
type Boot = (context: ConformanceContext, description: MachineDescription) => Promise<Booted>

/** Tests that a monitor without hot-plug answers with `no-slot-left` or `unsupported` instead. */
function hotplug(promise: Promised, booted: Boot, expect: TestApi['expect']): void {
  promise('a device that is added appears in the running guest', async (context) => {
    if (!context.monitor.capabilities.pmemHotplug) return
    const cold = await context.pmem(2 * MIB)
    const hot = await context.pmem(4 * MIB)
    await using unit = await booted(context, await context.machine({ pmem: [cold], hotplugSlots: 2 }))
    const added = await unit.machine.addPmem(hot)
    expect(added.isErr() ? added.error : 'added').toBe('added')
    await unit.guest.until(async () => (await unit.guest.pmem()).length === 2)
    expect(await unit.guest.pmem()).toEqual([2 * MIB, 4 * MIB])
  })

  promise('a device beyond the last reserved slot is refused and nothing changes', async (context) => {
    const devices = await Promise.all([2, 4, 6].map((size) => context.pmem(size * MIB)))
    await using unit = await booted(context, await context.machine({ hotplugSlots: 2 }))
    const results = await Promise.all(devices.map((device) => unit.machine.addPmem(device)))
    const hot = context.monitor.capabilities.pmemHotplug
    const kinds = results.map((result) => (result.isOk() ? 'added' : result.error.kind))
    expect(kinds).toEqual(hot ? ['added', 'added', 'no-slot-left'] : Array(3).fill('unsupported'))
    if (hot) await unit.guest.until(async () => (await unit.guest.pmem()).length === 2)
    expect(await unit.guest.pmem()).toEqual(hot ? [2 * MIB, 4 * MIB] : [])
  })

  promise('a device that is invalid or there already is refused by its field', async (context) => {
    const device = await context.pmem(2 * MIB)
    await using unit = await booted(context, await context.machine({ pmem: [device], hotplugSlots: 1 }))
    const twice = await unit.machine.addPmem(device)
    const odd = await unit.machine.addPmem({ ...device, id: 'odd', sizeBytes: MIB })
    if (!context.monitor.capabilities.pmemHotplug) return
    expect(twice.isErr() && twice.error).toMatchObject({ kind: 'invalid-description', field: 'id' })
    expect(odd.isErr() && odd.error).toMatchObject({ kind: 'invalid-description', field: 'sizeBytes' })
  })

  promise('a device for a machine that has ended is an error, at once', async (context) => {
    const device = await context.pmem(2 * MIB)
    await using unit = await booted(context, await context.machine({ hotplugSlots: 1 }))
    await unit.machine.kill()
    const added = await unit.machine.addPmem(device)
    expect(added.isErr()).toBe(true)
  })
}

function invalidChanges(device: PmemDevice): readonly (readonly [string, Partial<MachineDescription>])[] {
  return [
    ['name', { name: 'Capital' }],
    ['name', { name: 'a'.repeat(33) }],
    ['kernel', { kernel: 'relative/vmlinuz' }],
    ['initramfs', { initramfs: '/new\nline' }],
    ['kernelParameters[0]', { kernelParameters: ['two words'] }],
    ['kernelParameters', { kernelParameters: ['x'.repeat(5000)] }],
    ['memoryBytes', { memoryBytes: 256 * MIB + 1 }],
    ['vcpuCount', { vcpuCount: 0 }],
    ['vcpuCount', { vcpuCount: 1.5 }],
    ['hotplugSlots', { hotplugSlots: -1 }],
    ['pmem[0].sizeBytes', { pmem: [{ ...device, sizeBytes: MIB }] }],
    ['pmem[0].path', { pmem: [{ ...device, path: '/nul\0byte' }] }],
    ['pmem[1].id', { pmem: [device, device] }],
    ['directory', { directory: `/${'d'.repeat(107)}` }],
    ['block[0].sizeBytes', { block: [{ ...device, sizeBytes: 511 }] }],
    ['block[0].id', { pmem: [device], block: [device] }],
    ['view.tag', { view: { tag: 'two words', socket: '/s' } }],
    ['view.socket', { view: { tag: 'view', socket: 's' } }],
    ['directory', { directory: 'here' }],
  ]
}

interface Booted extends AsyncDisposable {
  readonly machine: Machine
  readonly guest: GuestTalk
}

/** The host's side of the conversation that `echoGuest` describes. */
class GuestTalk {
  readonly #source: AsyncIterator<Uint8Array>
  #held: Uint8Array = new Uint8Array()

  constructor(
    private readonly control: ByteChannel,
    private readonly clock: Clock,
    private readonly patienceMs: number,
  ) {
    this.#source = control.incoming[Symbol.asyncIterator]()
  }

  send(line: string): Promise<void> {
    return this.control.write(new TextEncoder().encode(line))
  }

  async line(): Promise<string> {
    let line = ''
    for (;;) {
      const byte = await this.take(1)
      if (byte[0] === 0x0a) return line
      line += String.fromCharCode(byte[0] ?? 0)
    }
  }

  async take(count: number): Promise<Uint8Array> {
    const taken = new Uint8Array(count)
    for (let at = 0; at < count; ) {
      if (this.#held.length === 0 && !(await this.#more())) throw new Error('the control channel ended')
      const part = this.#held.subarray(0, count - at)
      taken.set(part, at)
      at += part.length
      this.#held = this.#held.subarray(part.length)
    }
    return taken
  }

  async echo(bytes: Uint8Array): Promise<Uint8Array> {
    await this.send(`echo ${bytes.length}\n`)
    const returned = this.take(bytes.length)
    // Chunks of an odd size, so that no boundary coincides with one of the channel's own.
    for (let at = 0; at < bytes.length; at += 10_007)
      await this.control.write(bytes.subarray(at, at + 10_007))
    return await returned
  }

  pmem(): Promise<number[]> {
    return this.sizes('pmem')
  }

  async sizes(kind: 'pmem' | 'block'): Promise<number[]> {
    await this.send(`${kind}\n`)
    return (await this.line()).split(' ').slice(1).map(Number)
  }

  async view(tag: string): Promise<string[]> {
    await this.send(`view ${tag}\n`)
    return (await this.line()).split(' ').slice(1)
  }

  /** Whether the channel has ended by now or ends within patience. */
  async ended(): Promise<boolean> {
    this.#held = new Uint8Array()
    while (await this.#more()) this.#held = new Uint8Array()
    return true
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const latest = this.clock.now() + this.patienceMs
    while (!(await condition())) {
      if (this.clock.now() > latest) throw new Error('the guest did not get there in time')
      using pause = this.clock.deadline(20)
      await new Promise<void>((resolve) => pause.signal.addEventListener('abort', () => resolve()))
    }
  }

  async #more(): Promise<boolean> {
    using patience = new Patience(this.clock, undefined, this.patienceMs)
    const next = await patience.race(this.#source.next())
    if (next.done === true) return false
    this.#held = next.value
    return true
  }
}

/** Bytes of every value in no simple order. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 167 + (index >> 8) * 13 + 7) & 0xff)
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
