import type { Host } from '@spectrum/unit-runtime'
import { type Clock, pause } from '../clock.js'
import type { MemoryView, SharingView } from './snapshot.js'

const LEAST_PAUSE_MS = 2_000

/** What the units hold of the host's memory, read from the kernel again and again while somebody looks. */
export class Memory {
  total: MemoryView = { rssBytes: 0, pssBytes: 0, savedBytes: 0 }
  #units: ReadonlyMap<string, { readonly memoryBytes?: number; readonly sharing?: SharingView }> = new Map()

  of(unit: string): { readonly memoryBytes?: number; readonly sharing?: SharingView } {
    return this.#units.get(unit) ?? {}
  }

  /** Reads at once, and on. Calls back when a figure has changed. Ends with the signal; never rejects. */
  async follow(host: Host, clock: Clock, signal: AbortSignal, onChange: () => void): Promise<void> {
    while (!signal.aborted) {
      const began = clock.now()
      const before = this.#printed()
      await this.#read(host, signal)
      if (this.#printed() !== before) onChange()
      // A host with a lot of memory is read less often.
      await pause(clock, Math.max(LEAST_PAUSE_MS, 5 * (clock.now() - began)), signal)
    }
  }

  async #read(host: Host, signal: AbortSignal): Promise<void> {
    const sharing = await host.sharing({ signal })
    if (signal.aborted) return
    const shares = new Map(sharing.isOk() ? sharing.value.units.map((unit) => [unit.unit, unit]) : [])
    const read = await Promise.all(
      [...host.units.values()].map(async (unit) => {
        const usage = unit.state === 'running' ? await unit.usage() : undefined
        const share = shares.get(unit.name)
        const memoryBytes = usage?.isOk() ? { memoryBytes: usage.value.memoryBytes } : {}
        if (share === undefined || share.rssBytes === 0) return [unit.name, memoryBytes] as const
        const { rssBytes, pssBytes, sharesWith } = share
        return [unit.name, { ...memoryBytes, sharing: { rssBytes, pssBytes, sharesWith } }] as const
      }),
    )
    this.#units = new Map(read)
    if (sharing.isOk()) {
      const { rssBytes, pssBytes, savedBytes } = sharing.value
      this.total = { rssBytes, pssBytes, savedBytes }
    } else {
      // A unit that ends while it is read: the next time it is not there.
      this.total = { ...this.total, problem: sharing.error.message }
    }
  }

  #printed(): string {
    return JSON.stringify([this.total, [...this.#units]])
  }
}
