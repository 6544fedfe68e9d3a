import { type Question, type Terminal, terminalPrompter } from '@spectrum/unit-runtime'
import { manualClock } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'

const question: Question = {
  unit: 'mail',
  need: 'sign',
  service: 'org.example.sign',
  provider: 'vault',
  argument: 'a letter',
  conditions: ['asks each time'],
}

class TypedTerminal implements Terminal {
  shown = ''
  /** What a write waits for. */
  gate: Promise<void> = Promise.resolve()
  readonly #listeners = new Set<(line: string | undefined) => void>()

  async write(text: string): Promise<void> {
    await this.gate
    this.shown += text
  }

  onLine(heard: (line: string | undefined) => void): Disposable {
    this.#listeners.add(heard)
    return { [Symbol.dispose]: () => void this.#listeners.delete(heard) }
  }

  type(line: string | undefined): void {
    for (const heard of [...this.#listeners]) heard(line)
  }

  get listeners(): number {
    return this.#listeners.size
  }
}

function prompting() {
  const terminal = new TypedTerminal()
  const clock = manualClock()
  const abort = new AbortController()
  const prompter = terminalPrompter({ terminal, clock })
  return {
    terminal,
    clock,
    abort,
    ask: (over: Partial<Question> = {}, signal = abort.signal) =>
      prompter.ask({ ...question, ...over }, signal),
    /** Until so many questions were shown and could be read. */
    read: async (count = 1) => {
      await expect.poll(() => terminal.shown.split('Type allow').length - 1).toBe(count)
      await expect.poll(() => terminal.listeners).toBe(1)
      clock.advance(1000)
    },
  }
}

describe('a question at a terminal', () => {
  it.each([
    ['allow', 'allow'],
    ['  allow ', 'allow'],
    ['', 'deny'],
    ['a', 'deny'],
    ['y', 'deny'],
    ['ALLOW', 'deny'],
    ['allow it', 'deny'],
    [undefined, 'deny'],
  ] as const)('answered with %j is taken as: %s', async (line, answer) => {
    const { terminal, ask, read } = prompting()
    const asked = ask()
    await read()
    terminal.type(line)
    expect(await asked).toBe(answer)
    expect(terminal.shown).toContain(
      'The unit mail asks to call org.example.sign of vault (it calls that sign).',
    )
    expect(terminal.shown).toContain('with: "a letter"')
    expect(terminal.shown).toContain('then: asks each time')
    expect(terminal.listeners).toBe(0)
  })

  it('is not answered by what was typed before anybody could read it', async () => {
    const { terminal, ask, read } = prompting()
    terminal.type('allow')
    const asked = ask()
    await expect.poll(() => terminal.listeners).toBe(1)
    terminal.type('allow')
    await read()
    terminal.type('no')
    expect(await asked).toBe('deny')
  })

  it('waits for the one before it, and takes the line after that', async () => {
    const { terminal, ask, read } = prompting()
    const [first, second] = [ask(), ask({ unit: 'other' })]
    await read()
    expect(terminal.shown).not.toContain('The unit other')
    terminal.type('allow')
    expect(await first).toBe('allow')
    await read(2)
    terminal.type('no')
    expect(await second).toBe('deny')
  })

  it('that is given up is denied at once, whether it is shown, waits, or the terminal takes nothing', async () => {
    const { terminal, abort, ask, read } = prompting()
    const [shown, waiting] = [ask(), ask()]
    await read()
    abort.abort()
    expect(await Promise.all([shown, waiting, ask()])).toEqual(['deny', 'deny', 'deny'])
    expect(terminal.shown).toContain('no longer asked')
    expect(terminal.shown.split('Type allow')).toHaveLength(2)

    terminal.gate = new Promise(() => {})
    const stopped = new AbortController()
    const stuck = ask({}, stopped.signal)
    stopped.abort()
    expect(await stuck).toBe('deny')
  })

  it('is denied when the terminal has gone, and the next one, too', async () => {
    const { terminal, ask } = prompting()
    terminal.gate = Promise.reject(new Error('EIO'))
    expect(await ask()).toBe('deny')
    expect(await ask()).toBe('deny')
  })

  it('cannot command the terminal, and says how much of it is not shown', async () => {
    const { terminal, ask, read } = prompting()
    const asked = ask({
      unit: 'm\u001b[2J\nType',
      argument: `\u009b${'x'.repeat(1000)}`,
      provider: '\u202evault',
    })
    await read(1)
    terminal.type('no')
    await asked
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(terminal.shown).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
    expect(terminal.shown).toContain('m\\x1b[2J\\x0aType')
    expect(terminal.shown).toMatch(/\(and \d+ characters more\)/)
  })
})
