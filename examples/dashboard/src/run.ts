import type { Host, HostError, Leftovers } from '@spectrum/unit-runtime'
import { err, ok, type Result } from 'neverthrow'
import { aborted } from './clock.js'
import { type Dashboard, type DashboardOptions, openDashboard } from './dashboard.js'
import type { ServeError } from './web/server.js'

export interface RunOptions extends DashboardOptions {
  readonly say: (line: string) => void
  /** Aborted when the user has seen enough. */
  readonly signal: AbortSignal
  /** What is done meanwhile; the page ends with it. By default it stays until the signal aborts. */
  readonly visit?: ((address: string, signal: AbortSignal) => Promise<Result<void, VisitError>>) | undefined
}

/** What a visit of the page did not find. */
export interface VisitError {
  readonly kind: 'not-as-expected'
  readonly message: string
}

export type RunError = HostError | ServeError | VisitError

/** Shows a host on a page until it is told to end, stops the host, and looks at what is left of it. */
export async function runDashboard(host: Host, options: RunOptions): Promise<Result<Leftovers, RunError>> {
  // Whatever happens below.
  await using _stopped = host
  const opened = await openDashboard(host, options)
  const shown = opened.isErr() ? err<void, RunError>(opened.error) : await show(host, opened.value, options)
  const stopped = await host.stop()
  if (shown.isErr()) return err(shown.error)
  if (stopped.isErr()) return err(stopped.error)
  return host.leftovers()
}

async function show(host: Host, opened: Dashboard, options: RunOptions): Promise<Result<void, RunError>> {
  const { say, signal, visit = stay } = options
  const { kind, accelerator, why } = host.monitor
  await using dashboard = opened
  say(`monitor   ${kind}, accelerator ${accelerator}: ${why}`)
  say(`open      ${dashboard.address}`)
  say('          in a browser of this machine. Ctrl-C ends the page and the units.')
  dashboard.startAll()
  const visited = await visit(dashboard.address, signal)
  say('stopping  the page, then the units')
  return visited
}

const stay: NonNullable<RunOptions['visit']> = async (_address, signal) => {
  await aborted(signal)
  return ok(undefined)
}
