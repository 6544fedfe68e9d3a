import {
  type FakeAgentChannel,
  type FakeProgram,
  type FakeUnit,
  type FakeVolume,
  fakeAgentChannel,
} from '@spectrum/guest-agent/fake'
import type { BlockDevice, Clock, PmemDevice } from '@spectrum/unit-monitor'
import type { FakeGuest } from '@spectrum/unit-monitor/fake'
import type { MemoryBlobCache } from './memory-store.js'

/** The guests of a fake host: the agent's fake behind the control channel of the monitor's fake. */
export class FakeGuests {
  readonly #agents = new Set<FakeAgentChannel>()
  readonly #byView = new Map<string, FakeAgentChannel>()

  constructor(
    readonly clock: Clock,
    readonly cache: MemoryBlobCache,
    readonly programs: (unit: string) => Readonly<Record<string, FakeProgram>>,
    readonly silent: (unit: string) => boolean,
    readonly storeRequests: FakeUnit['onStoreRequest'],
    /** What the guest's kernel has not. */
    readonly lacks: string | undefined,
    /** What is on the volume of this path. */
    readonly contents: (path: string) => FakeVolume,
  ) {}

  /** What the server at this socket shows from now on, or no longer. */
  show(socket: string, name: string): void {
    this.#byView.get(socket)?.showInView([name])
  }

  hide(socket: string, name: string): void {
    this.#byView.get(socket)?.hideFromView([name])
  }

  async run(guest: FakeGuest): Promise<void> {
    guest.print(`Linux version 0-fake (${guest.machine.name})\n`)
    const disks = guest.block().length > 0
    const devices = [...guest.pmem(), ...guest.block()].map((device) => device.id)
    const images = Object.fromEntries(devices.flatMap((id) => this.#imageOf(id)))
    const agent = fakeAgentChannel(
      { clock: this.clock },
      {
        programs: this.programs(guest.machine.name),
        images,
        devices,
        disks,
        view: guest.machine.view?.tag,
        onStoreRequest: this.storeRequests,
        lacks: disks ? undefined : this.lacks,
        silent: this.silent(guest.machine.name),
        volumes: this.#volumesOf(guest),
      },
    )
    const { view } = guest.machine
    if (view !== undefined) this.#byView.set(view.socket, agent)
    this.#agents.add(agent)
    guest.ended.addEventListener('abort', () => agent.lose(), { once: true })
    void pump(guest.control.incoming, agent.channel)
    const said = pump(agent.channel.incoming, guest.control)
    const why = await agent.ended
    this.#agents.delete(agent)
    if (why !== 'powered-off') return
    // Its last words are heard before the power is off.
    await said
    guest.powerOff()
  }

  /** What was written to a volume is there again for the next machine that has its file. */
  #volumesOf(guest: FakeGuest): Readonly<Record<string, FakeVolume>> {
    const volumes = guest.machine.volumes ?? []
    return Object.fromEntries(volumes.map(({ serial, path }) => [serial, this.contents(path)]))
  }

  /** A device appears in the guests. All see it, which is more than a machine would show; ids are unguessable. */
  plug(device: PmemDevice | BlockDevice): void {
    for (const agent of this.#agents) {
      for (const [id, names] of this.#imageOf(device.id)) agent.addImage(id, names)
      agent.addDevice(device.id)
    }
  }

  #imageOf(id: string): readonly (readonly [string, readonly string[]])[] {
    const names = this.cache.names(id)
    return names === undefined ? [] : [[id, names]]
  }
}

async function pump(
  from: AsyncIterable<Uint8Array>,
  to: { write(bytes: Uint8Array): Promise<void>; close(): void },
): Promise<void> {
  try {
    for await (const bytes of from) await to.write(bytes)
  } catch {
    // The other side is gone, and both directions end together.
  }
  to.close()
}
