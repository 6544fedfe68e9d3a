// A program of its own, at a terminal: it asks one question and says what came of it.
import { openTerminal } from '../../src/linux/terminal.js'
import { terminalPrompter } from '../../src/prompter/terminal-prompter.js'

const opened = openTerminal()
if (opened.isErr()) {
  console.log(opened.error.kind)
} else {
  using terminal = opened.value
  const clock = {
    deadline(ms: number) {
      const controller = new AbortController()
      const timer = setTimeout(() => controller.abort(), ms)
      return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
    },
  }
  const question = {
    unit: 'mail',
    need: 'sign',
    service: 'org.example.sign',
    provider: 'vault',
    argument: undefined,
    conditions: [],
  }
  const { signal } = new AbortController()
  console.log(`answer: ${await terminalPrompter({ terminal, clock }).ask(question, signal)}`)
}
