import { readFileSync } from 'node:fs'
import {
  type HostError,
  newHostEmitter,
  nixStore,
  openHost,
  type Prompter,
  terminalPrompter,
} from '@spectrum/unit-runtime'
import { serveControl } from '@spectrum/unit-runtime/control'
import { openTerminal } from '@spectrum/unit-runtime/linux'
import type { OpenGraphHost } from '../powers.js'

/** A host as `up` has it: injection works, and questions go to the terminal that it was started from. */
export const openGraphHost: OpenGraphHost = ({ signal, architecture, services, onUnit }) => {
  const events = newHostEmitter()
  events.on('unit-state', ({ unit, state, why }) =>
    onUnit(why === undefined ? { unit, state } : { unit, state, why }),
  )
  const terminal = askAtTerminal()
  return openHost({
    store: nixStore(),
    events,
    signal,
    architecture,
    injection: true,
    services,
    prompter: terminal?.prompter,
  })
    .map((host) => ({
      pid: process.pid,
      directory: host.directory,
      monitor: host.monitor,
      serve: () => serveControl(host),
      start: (graph: Parameters<typeof host.start>[0], startSignal: AbortSignal) =>
        host
          .start(graph, { signal: startSignal })
          .map((units) => Object.values(units).map(({ name }) => name)),
      stop: ({ graceMs }: { readonly graceMs: number | undefined }) =>
        host.stop({ graceMs }).map(() => terminal?.close()),
    }))
    .mapErr((error: HostError) => {
      terminal?.close()
      return error
    })
}

function askAtTerminal(): { readonly prompter: Prompter; close(): void } | undefined {
  // Whoever reads a terminal from the background is stopped by the kernel.
  if (!isInForeground()) return undefined
  return openTerminal().match(
    (terminal) => ({
      prompter: terminalPrompter({ terminal, clock: { deadline } }),
      close: () => terminal[Symbol.dispose](),
    }),
    () => undefined,
  )
}

function deadline(ms: number): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), ms)
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}

/** proc(5), stat: field 5 is the process group, field 8 that of the terminal's foreground. */
function isInForeground(): boolean {
  if (!process.stdin.isTTY) return false
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[2] === fields[5]
  } catch {
    return false
  }
}
