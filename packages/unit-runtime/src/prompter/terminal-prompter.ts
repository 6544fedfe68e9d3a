import { escapeText } from '@spectrum/unit-monitor'
import type { PersonsAnswer, Prompter, Question } from './prompter.js'

/** A terminal with somebody at it. */
export interface Terminal {
  /** Resolves when the terminal has taken the text, which is escaped already; rejects when the terminal has gone. */
  write(text: string): Promise<void>
  /** Calls back for each line that is typed, without its end, until it is disposed of; `undefined`: no more come. */
  onLine(heard: (line: string | undefined) => void): Disposable
}

/** What asking on a terminal needs of the world. */
export interface TerminalPrompterPowers {
  /** Where the question is shown and the answer is typed. */
  readonly terminal: Terminal
  /** Deadlines in milliseconds. */
  readonly clock: {
    /** A signal that aborts after so many milliseconds. Disposing it early frees its timer. */
    deadline(ms: number): { readonly signal: AbortSignal } & Disposable
  }
}

/** The one word that allows. */
const ALLOW = 'allow'

/**
 * What is typed so soon was meant for something else: nobody has read the question yet. A unit chooses the moment at
 * which it asks.
 */
const UNREAD_MS = 700

/** Characters of an argument that are shown. */
const SHOWN = 400

/**
 * Asks at a terminal, one question after the other. Only the whole word `allow`, typed after the question could be
 * read, allows; anything else, the end of input and a terminal that has gone deny.
 */
export function terminalPrompter(powers: TerminalPrompterPowers): Prompter {
  let last: Promise<unknown> = Promise.resolve()
  return {
    ask(question, signal) {
      const turn = last
      const answer = orGivenUp(turn, signal).then((given) =>
        given === 'given-up' ? 'deny' : askOne(question, powers, signal),
      )
      // Neither rejects.
      last = Promise.all([turn, answer])
      return answer
    },
  }
}

async function askOne(
  question: Question,
  { terminal, clock }: TerminalPrompterPowers,
  signal: AbortSignal,
): Promise<PersonsAnswer> {
  try {
    const shown = await orGivenUp(terminal.write(wordsOf(question)), signal)
    using unread = clock.deadline(UNREAD_MS)
    const line = shown === 'given-up' ? shown : await firstLine(terminal, unread.signal, signal)
    if (line === 'given-up') {
      void terminal.write('\nThis is no longer asked: denied.\n').catch(() => {})
      return 'deny'
    }
    const answer = typeof line === 'object' && line.text.trim() === ALLOW ? 'allow' : 'deny'
    void terminal.write(answer === 'allow' ? 'Allowed.\n' : 'Denied.\n').catch(() => {})
    return answer
  } catch {
    // The terminal has gone, and whoever sat at it.
    return 'deny'
  }
}

/** A terminal that was stopped (Ctrl-S) takes nothing for as long as it likes. */
async function orGivenUp<T>(work: Promise<T>, signal: AbortSignal): Promise<T | 'given-up'> {
  let giveUp = () => {}
  const givenUp = new Promise<'given-up'>((resolve) => {
    giveUp = () => resolve('given-up')
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
  })
  try {
    return await Promise.race([work, givenUp])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

type Typed = { readonly text: string } | 'ended' | 'given-up'

/** The first line that is typed once the question could be read. */
function firstLine(terminal: Terminal, unread: AbortSignal, signal: AbortSignal): Promise<Typed> {
  return new Promise((resolve) => {
    const settle = (typed: Typed) => {
      lines[Symbol.dispose]()
      signal.removeEventListener('abort', giveUp)
      resolve(typed)
    }
    const giveUp = () => settle('given-up')
    const lines = terminal.onLine((line) => {
      if (line === undefined) settle('ended')
      else if (unread.aborted) settle({ text: line })
    })
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
  })
}

function wordsOf({ unit, need, service, provider, argument, conditions }: Question): string {
  const carried = argument === undefined ? undefined : (JSON.stringify(argument) ?? '')
  const lines = [
    '',
    `The unit ${shown(unit)} asks to call ${shown(service)} of ${shown(provider)} (it calls that ${shown(need)}).`,
    ...(carried === undefined ? [] : [`  with: ${shown(carried)}`]),
    ...(conditions.length === 0 ? [] : [`  then: ${shown(conditions.join('; '))}`]),
    `Type ${ALLOW} to allow it, anything else to deny it: `,
  ]
  return lines.join('\n')
}

/** What is left out is counted: nobody should allow the beginning of something. */
function shown(text: string): string {
  const more = text.length - SHOWN
  return more <= 0 ? escapeText(text) : `${escapeText(text.slice(0, SHOWN))} (and ${more} characters more)`
}
