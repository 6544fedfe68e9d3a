import { closure, nixStore, openHost } from '@spectrum/unit-runtime'
import { buildDemoClosures } from '../../demo/src/closures.js'
import { readOptions, USAGE } from './options.js'
import { runDashboard } from './run.js'
import { defineGraph } from './units.js'
import { visitOnce } from './visit.js'

const say = (line: string) => void process.stdout.write(`${line}\n`)

const options = readOptions(process.argv.slice(2))
if (typeof options === 'string') {
  const asked = options === USAGE
  ;(asked ? process.stdout : process.stderr).write(options)
  process.exitCode = asked ? 0 : 2
} else {
  // The first Ctrl-C ends everything in order, the second one at once.
  const enough = new AbortController()
  const hurry = new AbortController()
  let open = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!open || enough.signal.aborted) hurry.abort()
      enough.abort()
    })
  }
  const store = await buildDemoClosures(hurry.signal)
  const host = await openHost({ store: nixStore(), injection: true, signal: hurry.signal })
  open = true
  if (host.isErr()) {
    process.stderr.write(`${host.error.message}\n`)
    process.exitCode = 1
  } else {
    const { port, once } = options
    const left = await runDashboard(host.value, {
      graph: defineGraph(store)._unsafeUnwrap(), // Written in units.ts: only a mistake there can make it fail.
      software: { debugger: closure(store.debugger) },
      port,
      say,
      signal: enough.signal,
      visit: once ? (address, signal) => visitOnce(address, { say, signal }) : undefined,
    })
    if (left.isErr()) {
      process.stderr.write(`${left.error.message}\n`)
      process.exitCode = 1
    } else {
      const { processes, sockets, mounts, files } = left.value
      const count = processes.length + sockets.length + mounts.length + files.length
      say(`ended     ${count === 0 ? 'nothing is left' : JSON.stringify(left.value)}`)
      if (count > 0) process.exitCode = 1
    }
  }
}
