import type { LogLine } from './requests.js'

/** Of one unit. */
const MOST_LINES = 1_000
const MOST_CHARACTERS = 131_072
const MOST_UNITS = 256
const MOST_OF_A_LINE = 4_096
/** What a follower that does not read may leave waiting, in characters. */
const MOST_WAITING = 1_048_576

type Line = Extract<LogLine, { readonly unit: string }>

/** The newest lines of each unit, also of units that have ended, and whoever follows them. */
export class LogBook {
  readonly #units = new Map<string, { readonly lines: Line[]; characters: number }>()
  readonly #followers = new Set<Follower>()

  add(line: Line): void {
    const kept = { ...line, text: line.text.slice(0, MOST_OF_A_LINE) }
    const page = this.#units.get(line.unit) ?? { lines: [], characters: 0 }
    // In the order of their newest lines: the unit that has been silent longest is forgotten first.
    this.#units.delete(line.unit)
    this.#units.set(line.unit, page)
    page.lines.push(kept)
    page.characters += kept.text.length
    while (page.lines.length > MOST_LINES || page.characters > MOST_CHARACTERS)
      page.characters -= page.lines.shift()!.text.length
    const [oldest] = this.#units.keys()
    if (this.#units.size > MOST_UNITS && oldest !== undefined) this.#units.delete(oldest)
    for (const follower of this.#followers) if (follower.wants(line.unit)) follower.push(kept)
  }

  /** The newest lines, oldest first; of all units in the order in which they came. */
  newest(unit: string | undefined, count: number): readonly Line[] {
    const pages = unit === undefined ? [...this.#units.values()] : [this.#units.get(unit)]
    const lines = pages.flatMap((page) => page?.lines ?? []).sort((one, other) => one.at - other.at)
    return count === 0 ? [] : lines.slice(-count)
  }

  has(unit: string): boolean {
    return this.#units.has(unit)
  }

  /** A unit has ended: whoever follows it alone has heard all. */
  endOf(unit: string): void {
    for (const follower of this.#followers) follower.unitEnded(unit)
  }

  follow(unit: string | undefined): Follower {
    const follower = new Follower(unit, () => this.#followers.delete(follower))
    this.#followers.add(follower)
    return follower
  }
}

/** Takes lines at its own pace. What it is too slow for is dropped and counted; it never stops who writes. */
export class Follower implements AsyncIterable<LogLine>, Disposable {
  readonly #unit: string | undefined
  readonly #leave: () => void
  readonly #waiting: Line[] = []
  #characters = 0
  #lost = 0
  #ended = false
  #wake: (() => void) | undefined

  constructor(unit: string | undefined, leave: () => void) {
    this.#unit = unit
    this.#leave = leave
  }

  wants(unit: string): boolean {
    return this.#unit === undefined || this.#unit === unit
  }

  unitEnded(unit: string): void {
    if (this.#unit === unit) this.end()
  }

  push(line: Line): void {
    if (this.#characters + line.text.length > MOST_WAITING) this.#lost += 1
    else {
      this.#waiting.push(line)
      this.#characters += line.text.length + 1
    }
    this.#wake?.()
  }

  /** What waits can still be taken. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  [Symbol.dispose](): void {
    this.#leave()
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LogLine, void, undefined> {
    for (;;) {
      const line = this.#waiting.shift()
      if (line !== undefined) {
        this.#characters -= line.text.length + 1
        yield line
      } else if (this.#lost > 0) {
        const lost = this.#lost
        this.#lost = 0
        yield { lost }
      } else if (this.#ended) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }
}
