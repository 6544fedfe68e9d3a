import { closure, nixStore, openHost } from '@spectrum/unit-runtime'
import { buildDemoClosures } from '../../demo/src/closures.js'
import { type Options, readOptions, USAGE } from './options.js'
import { runDashboard } from './run.js'
import { defineGraph } from './units.js'
import { visitOnce } from './visit.js'

/** Who starts a program passes on to it the Ctrl-C that the terminal has sent to both. */
const ECHO_MS = 500

const say = (line: string) => void process.stdout.write(`${line}\n`)

/** Returns what went wrong. */
async function main({ port, once }: Options): Promise<string | undefined> {
  // The first Ctrl-C ends everything in order, the second one at once.
  const enough = new AbortController()
  const hurry = new AbortController()
  let isOpen = false
  let toldAt = Number.NEGATIVE_INFINITY
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (performance.now() - toldAt < ECHO_MS) return
      toldAt = performance.now()
      if (!isOpen || enough.signal.aborted) hurry.abort()
      enough.abort()
    })
  }
  const store = await buildDemoClosures(hurry.signal).catch((cause: Error) => cause.message)
  if (typeof store === 'string') return store
  const host = await openHost({ store: nixStore(), injection: true, signal: hurry.signal })
  if (host.isErr()) return host.error.message
  isOpen = true
  const left = await runDashboard(host.value, {
    graph: defineGraph(store)._unsafeUnwrap(), // Written in units.ts: only a mistake there can make it fail.
    software: { debugger: closure(store.debugger) },
    port,
    say,
    signal: enough.signal,
    visit: once ? (address, signal) => visitOnce(address, { say, signal }) : undefined,
  })
  if (left.isErr()) return left.error.message
  const { processes, sockets, mounts, files } = left.value
  if (processes.length + sockets.length + mounts.length + files.length > 0)
    return `This is left: ${JSON.stringify(left.value)}`
  say('ended     nothing is left')
  return undefined
}

const options = readOptions(process.argv.slice(2))
if (typeof options === 'string') {
  const asked = options === USAGE
  ;(asked ? process.stdout : process.stderr).write(options)
  process.exitCode = asked ? 0 : 2
} else {
  const failure = await main(options)
  if (failure !== undefined) {
    process.stderr.write(`${failure}\n`)
    process.exitCode = 1
  }
}
