import { type Prompter, terminalPrompter } from '@spectrum/unit-runtime'
import { openTerminal } from '@spectrum/unit-runtime/linux'
import { debianPrograms } from '../../debian-programs/src/debian-programs.js'
import { callProgram } from './call-program.js'
import { splitGpg } from './split-gpg.js'

const clock = {
  deadline(ms: number) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), ms)
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** The person at the terminal; or, where nobody sits there, the answers that this program was started with, in order. */
function openPrompter(answers: string[]): { readonly prompter: Prompter } & Disposable {
  if (answers.length > 0) {
    const ask = async () => (answers.shift() === 'allow' ? 'allow' : 'deny')
    return { prompter: { ask }, [Symbol.dispose]: () => {} }
  }
  const terminal = openTerminal()
  if (terminal.isErr()) throw new Error(terminal.error.message)
  const prompter = terminalPrompter({ terminal: terminal.value, clock })
  return { prompter, [Symbol.dispose]: () => terminal.value[Symbol.dispose]() }
}

using at = openPrompter(process.argv.slice(2))
const gnupg = await debianPrograms('gnupg1', ['/usr/bin/gpg1'])
const interrupted = new AbortController()
process.on('SIGINT', () => interrupted.abort())
const report = await splitGpg(
  { gnupg, call: await callProgram() },
  {
    prompter: at.prompter,
    letters: ['Dear Bob, we meet on Tuesday.\n', 'Dear bank, all my money to Mallory.\n'],
    signal: interrupted.signal,
  },
)
if (report.isErr()) throw new Error(report.error.message)
for (const { text, signed, good } of report.value.letters) {
  const what = good ? 'signed, and the signature is good' : signed === '' ? 'not signed' : 'spoiled'
  if (signed !== '') process.stdout.write(`\n${signed}\n`)
  process.stdout.write(`${JSON.stringify(text.trim())}: ${what}\n`)
}
