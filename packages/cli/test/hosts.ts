import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandPowers, GraphHost } from '@spectrum/cli'
import type { FakeGuest } from '@spectrum/unit-monitor/fake'
import { closure, compose, defineUnit, type Host, newHostEmitter } from '@spectrum/unit-runtime'
import { connectControl, serveControl } from '@spectrum/unit-runtime/control'
import { type FakeHostOptions, openFakeHost } from '@spectrum/unit-runtime/fake'
import { HeldClock, powersWith } from './fakes.js'

export const hello = '/nix/store/00000000000000000000000000000000-hello'
export const gdb = '/nix/store/11111111111111111111111111111111-gdb'
const store = { [hello]: {}, [gdb]: {} }

export const graph = compose({
  left: defineUnit('left', { store: closure(hello), hotplugSlots: 4 }),
  right: defineUnit('right', { store: closure(hello) }),
})._unsafeUnwrap()

type Programs = NonNullable<FakeHostOptions['programs']>

/** What the programs of the units were asked to do. */
export class Seen {
  readonly signals: number[] = []
  ended = 0
}

export const programs = (seen: Seen): Programs => ({
  [`${hello}/bin/hello`]: async (process) => {
    await process.stdout.write(`hello ${process.argv.slice(1).join(' ')}\n`)
    await process.stderr.write(`${JSON.stringify(process.env)} ${process.cwd}\n`)
    return 3
  },
  [`${hello}/bin/copy`]: async (process) => {
    for await (const bytes of process.stdin) await process.stdout.write(bytes)
    return 0
  },
  [`${hello}/bin/paint`]: async (process) => {
    await process.stdout.write('\x1b[31mred\n')
    return 0
  },
  [`${hello}/bin/stay`]: async (process) => {
    await process.stdout.write('staying\n')
    return await new Promise((resolve) => {
      process.onSignal(2, () => {
        seen.signals.push(2)
        resolve(7)
      })
      process.killed.addEventListener('abort', () => resolve(9))
    })
  },
  [`${hello}/bin/screen`]: async (process) => {
    const size = () => `${process.terminal?.size.columns}x${process.terminal?.size.rows}\n`
    await process.stdout.write(`${process.env['TERM']} ${size()}`)
    process.onSignal(28, () => void process.stdout.write(size()))
    process.onSignal(1, () => seen.signals.push(1))
    for await (const bytes of process.stdin) await process.stdout.write(`<${Buffer.from(bytes)}>`)
    return 5
  },
  [`${hello}/bin/deaf`]: async (process) => {
    await process.stdout.write('staying\n')
    return await new Promise((resolve) => {
      process.onSignal(2, () => seen.signals.push(2))
      process.killed.addEventListener('abort', () => {
        seen.ended += 1
        resolve(9)
      })
    })
  },
})

export interface OneHost extends AsyncDisposable {
  /** Lets the guest of a unit say a line on its console. */
  print(unit: string, line: string): void
  readonly host: Host
  readonly seen: Seen
  readonly socket: string
  /** Commands run beside it find it, and those of `others`. */
  powers(over?: Partial<CommandPowers>): ReturnType<typeof powersWith>
}

/** A fake host that runs `left` and `right` and serves control at a real socket. */
export async function runHost(): Promise<OneHost> {
  const seen = new Seen()
  const place = await mkdtemp(join(tmpdir(), 'cli-host-'))
  const guests = new Map<string, FakeGuest>()
  const onGuest = (guest: FakeGuest) => guests.set(guest.machine.name, guest)
  const host = (await openFakeHost({ store, programs: programs(seen), onGuest }))._unsafeUnwrap()
  ;(await host.start(graph))._unsafeUnwrap()
  const socket = join(place, 'control')
  const server = serveControl(host, { socket })._unsafeUnwrap()
  return {
    print: (unit, line) => guests.get(unit)!.print(`${line}\n`),
    host,
    seen,
    socket,
    powers: (over) => powersWith({ hosts: hostsAt(socket), clock: new HeldClock(), ...over }),
    async [Symbol.asyncDispose]() {
      await host.stop({ graceMs: 0 })
      await server[Symbol.asyncDispose]()
      await rm(place, { recursive: true })
    },
  }
}

/** So many hosts that are all the same one. */
export const hostsAt = (...sockets: readonly string[]): CommandPowers['hosts'] => ({
  find: async () =>
    sockets.map((socket, at) => ({ name: `host-${at + 1}`, pid: 100 + at, directory: '/d', socket })),
  socketOf: async (path) => path,
  connect: (socket, signal) => connectControl(socket, { signal }),
})

/** Opens fake hosts for `up`, served at a real socket. */
export async function hostsForUp(more: Partial<FakeHostOptions> = {}): Promise<
  {
    readonly open: CommandPowers['openGraphHost']
    readonly socket: string
    host?: Host
    stops: (number | undefined)[]
  } & AsyncDisposable
> {
  const place = await mkdtemp(join(tmpdir(), 'cli-up-'))
  const socket = join(place, 'control')
  const opened: Awaited<ReturnType<typeof hostsForUp>> = {
    socket,
    stops: [],
    open: ({ signal, services, onUnit }) => {
      const events = newHostEmitter()
      events.on('unit-state', ({ unit, state, why }) =>
        onUnit({ unit, state, ...(why === undefined ? {} : { why }) }),
      )
      const options = { store, events, signal, services, programs: programs(new Seen()), ...more }
      return openFakeHost(options).map((host): GraphHost => {
        opened.host = host
        return {
          pid: 42,
          directory: host.directory,
          monitor: host.monitor,
          serve: () => serveControl(host, { socket }),
          start: (graph, startSignal) =>
            host
              .start(graph, { signal: startSignal })
              .map((units) => Object.values(units).map(({ name }) => name)),
          stop: ({ graceMs }) => {
            opened.stops.push(graceMs)
            return host.stop({ graceMs })
          },
        }
      })
    },
    async [Symbol.asyncDispose]() {
      await opened.host?.stop({ graceMs: 0 })
      await rm(place, { recursive: true })
    },
  }
  return opened
}
