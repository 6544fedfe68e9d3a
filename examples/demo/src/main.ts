import { runDemo } from './demo.js'
import { readOptions, USAGE } from './options.js'

const options = readOptions(process.argv.slice(2))
if (typeof options === 'string') {
  const asked = options === USAGE
  ;(asked ? process.stdout : process.stderr).write(options)
  process.exitCode = asked ? 0 : 2
} else {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      process.exitCode = signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 129
      interrupted.abort()
    })
  }
  const report = await runDemo(options, {
    say: (line) => process.stdout.write(`${line}\n`),
    signal: interrupted.signal,
  })
  if (report.isErr()) {
    process.stderr.write(`\n${report.error.message}\n`)
    for (const line of 'lastLines' in report.error ? (report.error.lastLines ?? []) : []) {
      process.stderr.write(`  | ${line}\n`)
    }
    process.exitCode ??= 1
  } else if (options.json) {
    process.stdout.write(`${JSON.stringify(report.value)}\n`)
  }
}
