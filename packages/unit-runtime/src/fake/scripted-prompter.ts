import type { PersonsAnswer, Prompter, Question } from '../prompter/prompter.js'

/** A prompter for tests, which keeps what it was asked. */
export interface ScriptedPrompter extends Prompter {
  /** What was asked, oldest first; a question that was given up before it was put is not in it. */
  readonly asked: readonly Question[]
}

/**
 * A person who answers as `answer` says: `never` keeps them waiting until the question is given up. Without it everything
 * is denied.
 *
 * @example
 * ```ts
 * import { scriptedPrompter } from '@spectrum/unit-runtime/fake'
 *
 * const prompter = scriptedPrompter(({ unit }) => (unit === 'mail' ? 'allow' : 'never'))
 * // Give it to openFakeHost({ prompter, … }); afterwards:
 * console.log(prompter.asked.map(({ unit, service }) => `${unit} ${service}`))
 * ```
 */
export function scriptedPrompter(
  answer: (question: Question) => PersonsAnswer | 'never' = () => 'deny',
): ScriptedPrompter {
  const asked: Question[] = []
  return {
    asked,
    ask(question, signal) {
      if (signal.aborted) return Promise.resolve('deny')
      asked.push(question)
      const said = answer(question)
      if (said !== 'never') return Promise.resolve(said)
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve('deny'), { once: true })
      })
    },
  }
}
