import type { Fd, ReadyWatch } from '@spectrum/unix-fd'
import type { UnitContext } from '../relay/unit-context.js'

const PIECE_BYTES = 16 * 1024
/** Transfers across the border of one unit at a time. */
const MOST_TRANSFERS = 16
/** A side that neither reads nor writes for so long is given up. */
const PATIENCE_MS = 10_000

const running = new WeakMap<UnitContext, Set<Transfer>>()

/** Ends every transfer of the unit. */
export function stopTransfers(unit: UnitContext): void {
  for (const transfer of [...(running.get(unit) ?? [])]) transfer.close()
}

/**
 * Carries what one side writes to the other, as much as the policy lets cross, and never waits for either. It owns
 * both ends.
 */
export class Transfer {
  readonly #unit: UnitContext
  readonly #from: Fd
  readonly #to: Fd
  readonly #piece = new Uint8Array(PIECE_BYTES)
  #rest: Uint8Array = new Uint8Array()
  #left: number
  #moved = 0
  #reading: ReadyWatch | undefined
  #writing: ReadyWatch | undefined
  #closed = false

  private constructor(unit: UnitContext, from: Fd, to: Fd) {
    this.#unit = unit
    this.#from = from
    this.#to = to
    this.#left = unit.policy.clipboard.maxBytes
  }

  /** Starts, or closes both ends when the unit has too many already. `to` is opened anew for this. */
  static start(unit: UnitContext, from: Fd, to: Fd): void {
    const all = running.get(unit) ?? new Set<Transfer>()
    running.set(unit, all)
    const writer = unit.powers.pipes.forWriting(to)
    if (writer.isErr() || all.size >= MOST_TRANSFERS) {
      const message = writer.isErr()
        ? writer.error.message
        : `more than ${MOST_TRANSFERS} transfers at a time`
      unit.warn({ code: 'W-CLIPBOARD', message })
      from.close()
      if (writer.isOk()) writer.value.close()
      return
    }
    const transfer = new Transfer(unit, from, writer.value)
    all.add(transfer)
    transfer.#readOn()
    transfer.#watchOver(0)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#reading?.close()
    this.#writing?.close()
    this.#from.close()
    this.#to.close()
    running.get(this.#unit)?.delete(this)
  }

  #watchOver(moved: number): void {
    this.#unit.powers.later(PATIENCE_MS, () => {
      if (this.#closed) return
      if (this.#moved === moved) this.close()
      else this.#watchOver(this.#moved)
    })
  }

  #readOn(): void {
    this.#writing?.close()
    this.#writing = undefined
    const watch = this.#from.onReady('readable', () => this.#read())
    if (watch.isErr()) this.close()
    else this.#reading = watch.value
  }

  #read(): void {
    const { pipes } = this.#unit.powers
    const count = pipes.read(this.#from, this.#piece)
    if (count === 'again') return
    if (count === 'failed' || count === 0) {
      this.close()
      return
    }
    this.#moved += count
    if (count > this.#left) {
      const { maxBytes } = this.#unit.policy.clipboard
      this.#unit.warn({
        code: 'W-CLIPBOARD-SIZE',
        message: `a transfer of more than ${maxBytes} bytes was cut`,
      })
      this.close()
      return
    }
    this.#left -= count
    this.#rest = this.#piece.subarray(0, count)
    this.#write()
  }

  #write(): void {
    while (this.#rest.length > 0) {
      const count = this.#unit.powers.pipes.write(this.#to, this.#rest)
      if (count === 'failed') {
        this.close()
        return
      }
      if (count === 'again') {
        this.#waitToWrite()
        return
      }
      this.#moved += count
      this.#rest = this.#rest.subarray(count)
    }
    if (this.#reading === undefined) this.#readOn()
  }

  #waitToWrite(): void {
    if (this.#writing !== undefined) return
    this.#reading?.close()
    this.#reading = undefined
    const watch = this.#to.onReady('writable', () => this.#write())
    if (watch.isErr()) this.close()
    else this.#writing = watch.value
  }
}
