import type { LogLine } from '@spectrum/unit-runtime'
import type { UnitLines } from './snapshot.js'

/** Lines of one unit that are kept for a page that opens now. */
export const MOST_LINES = 60

/** The newest lines of each unit. */
export class LogTail {
  readonly #lines = new Map<string, LogLine[]>()

  add(unit: string, { seq, at, source, text }: LogLine): void {
    const lines = this.#lines.get(unit) ?? []
    lines.push({ seq, at, source, text })
    if (lines.length > MOST_LINES) lines.shift()
    this.#lines.set(unit, lines)
  }

  forget(unit: string): void {
    this.#lines.delete(unit)
  }

  after(seen: ReadonlyMap<string, number>): readonly UnitLines[] {
    return [...this.#lines].flatMap(([unit, lines]) => {
      const known = seen.get(unit) ?? 0
      const news = lines.filter(({ seq }) => seq > known)
      return news.length === 0 ? [] : [{ unit, lines: news }]
    })
  }
}
