import type { FakeGuest } from '@spectrum/unit-monitor/fake'
import { closure, compose, defineUnit, type Host } from '@spectrum/unit-runtime'
import {
  type ControlClient,
  type ControlPowers,
  type ControlServer,
  connectControlWith,
  serveControlWith,
} from '@spectrum/unit-runtime/control'
import { type FakeHostOptions, openFakeHost } from '@spectrum/unit-runtime/fake'
import { unixFd } from '@spectrum/unix-fd/linux'
import type { ControlListener, ControlSocket } from '../../src/control/powers.js'
import { controlSocket, turnOfTheLoop } from '../../src/linux/control-sockets.js'

export const hello = '/nix/store/00000000000000000000000000000000-hello'
export const gdb = '/nix/store/11111111111111111111111111111111-gdb'

/** A clock that goes on, for what must end at a deadline. */
export const realClock: ControlPowers['clock'] = {
  now: () => performance.now(),
  deadline(ms) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), ms)
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
export const powers: ControlPowers = { clock: realClock, nextTurn: turnOfTheLoop }

/** Real sockets without a path; whoever calls `connect` gets the other end. */
export class Pairs implements ControlListener {
  readonly path = '/nowhere'
  readonly #waiting: ControlSocket[] = []
  #wake = () => {}
  #closed = false

  connect(): ControlSocket {
    const [ours, theirs] = unixFd()._unsafeUnwrap().socketpair('stream')._unsafeUnwrap()
    this.#waiting.push(controlSocket(theirs))
    this.#wake()
    return controlSocket(ours)
  }

  async accept(): Promise<ControlSocket | undefined> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) return next
      if (this.#closed) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** The programs that the units of `openServed` have. */
export const programs: NonNullable<FakeHostOptions['programs']> = {
  [`${hello}/bin/hello`]: async (process) => {
    await process.stdout.write(`hello ${process.argv.slice(1).join(' ')}\n`)
    await process.stderr.write('to stderr\n')
    return 3
  },
  [`${hello}/bin/copy`]: async (process) => {
    for await (const bytes of process.stdin) await process.stdout.write(bytes)
    return 0
  },
  [`${hello}/bin/stay`]: (process) =>
    new Promise((resolve) => {
      void process.stdout.write('staying\n')
      process.killed.addEventListener('abort', () => resolve(9))
    }),
}

export interface Served extends AsyncDisposable {
  /** Lets the guest of a unit say a line on its console. */
  print(unit: string, line: string): void
  readonly host: Host
  readonly server: ControlServer
  readonly pairs: Pairs
  client(): Promise<ControlClient>
}

/** A fake host with the units `left` and `right`, served. */
export async function openServed(
  options: Partial<FakeHostOptions> & { uid?: number; serverClock?: ControlPowers['clock'] } = {},
): Promise<Served> {
  const { uid = process.getuid?.() ?? 0, serverClock = realClock, ...more } = options
  const guests = new Map<string, FakeGuest>()
  const onGuest = (guest: FakeGuest) => guests.set(guest.machine.name, guest)
  const host = (
    await openFakeHost({ store: { [hello]: {}, [gdb]: {} }, programs, onGuest, ...more })
  )._unsafeUnwrap()
  const pairs = new Pairs()
  const server = serveControlWith(host, {
    ...powers,
    clock: serverClock,
    listener: pairs,
    epochMs: () => 1_000_000,
    uid,
    pid: 42,
  })
  const store = closure(hello)
  const graph = compose({
    left: defineUnit('left', { store, hotplugSlots: 4 }),
    right: defineUnit('right', { store }),
  })._unsafeUnwrap()
  ;(await host.start(graph))._unsafeUnwrap()
  return {
    print: (unit, line) => guests.get(unit)!.print(`${line}\n`),
    host,
    server,
    pairs,
    client: async () => (await connectControlWith(pairs.connect(), powers))._unsafeUnwrap(),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await host.stop({ graceMs: 0 })
    },
  }
}
