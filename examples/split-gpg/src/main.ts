import { terminalPrompter } from '@spectrum/unit-runtime'
import { openTerminal } from '@spectrum/unit-runtime/linux'
import { callProgram, machinePrograms } from './programs.js'
import { splitGpg } from './split-gpg.js'

const clock = {
  deadline(ms: number) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), ms)
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

const terminal = openTerminal()
if (terminal.isErr()) {
  process.stderr.write(`${terminal.error.message}\n`)
  process.exitCode = 1
} else {
  using at = terminal.value
  const tools = { gnupg: await machinePrograms('gnupg1', ['/usr/bin/gpg1']), call: await callProgram() }
  const interrupted = new AbortController()
  process.on('SIGINT', () => interrupted.abort())
  const report = await splitGpg(tools, {
    prompter: terminalPrompter({ terminal: at, clock }),
    letters: ['Dear Bob, we meet on Tuesday.\n', 'Dear bank, all my money to Mallory.\n'],
    signal: interrupted.signal,
  })
  if (report.isErr()) {
    process.stderr.write(`${report.error.message}\n`)
    process.exitCode = 1
  } else {
    for (const { text, signed, good } of report.value.letters) {
      const what = good ? 'signed, and the signature is good' : signed === '' ? 'not signed' : 'spoiled'
      process.stdout.write(`${JSON.stringify(text.trim())}: ${what}\n${signed}\n`)
    }
  }
}
