import type { Command, Notice } from './snapshot.js'

const MOST_NOTICES = 12

/** What was asked for, and what became of it: the newest, and all that is under way. */
export class Notices {
  #last = 0
  #list: readonly Notice[] = []

  get list(): readonly Notice[] {
    return this.#list
  }

  /** How many of this kind are under way. */
  underWay(unit: string, action: Command['kind']): number {
    return this.#list.filter(
      (notice) => notice.unit === unit && notice.action === action && notice.state === 'under-way',
    ).length
  }

  begin(unit: string, action: Command['kind'], text: string): number {
    this.#last += 1
    this.#list = [...this.#list, { id: this.#last, unit, action, state: 'under-way', text }]
    this.#shorten()
    return this.#last
  }

  end(id: number, state: 'done' | 'failed', text: string): void {
    this.#list = this.#list.map((notice) => (notice.id === id ? { ...notice, state, text } : notice))
    this.#shorten()
  }

  #shorten(): void {
    let surplus = this.#list.length - MOST_NOTICES
    this.#list = this.#list.filter(({ state }) => state === 'under-way' || surplus-- <= 0)
  }
}
