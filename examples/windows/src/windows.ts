import {
  closure,
  compose,
  defineUnit,
  fromHost,
  type GuestProcess,
  type HostError,
  nixStore,
  openHost,
  type Unit,
} from '@spectrum/unit-runtime'
import { Display, displayService } from '@spectrum/unit-runtime/display'
import { err, ok, type Result } from 'neverthrow'
import type { Programs } from './programs.js'

/** How the user knows the units' windows: by words and by colour. */
const UNITS = {
  mail: { label: 'mail', colour: '#1f6f3f' },
  bank: { label: 'bank', colour: '#a51d2d' },
} as const

/** Two units, each of which is given a display, and nothing by which one could know of the other. */
function defineGraph({ path }: Programs) {
  const store = closure(path)
  const needs = { display: Display }
  const display = fromHost(Display, 'display')
  return compose({
    mail: defineUnit('mail', { store, needs }),
    bank: defineUnit('bank', { store, needs }),
  }).wire({ mail: { display }, bank: { display } })
}

/**
 * Starts both, with a window each, and hands over to `look`. When that is done nothing of them is left.
 * `upstream` is the path of the desktop's Wayland socket.
 */
export async function showWindows(
  programs: Programs,
  { upstream, look, onLine, signal }: Powers,
): Promise<Result<void, WindowsError>> {
  const display = displayService({ upstream, units: UNITS, onLine })
  if (display.isErr()) return err(display.error)
  const opened = await openHost({ store: nixStore(), services: { display: display.value }, signal })
  if (opened.isErr()) return err(opened.error)
  await using host = opened.value
  const graph = defineGraph(programs)._unsafeUnwrap() // Written above: only a mistake in this file can make it fail.
  const started = await host.start(graph)
  if (started.isErr()) return err(started.error)
  const ends: Promise<Result<void, WindowsError>>[] = []
  for (const unit of Object.values(started.value)) {
    const shown = await show(unit, programs, 'weston-flower')
    if (shown.isErr()) return err(shown.error)
    ends.push(
      shown.value.outcome.then(({ kind }) => err({ kind, message: `a window's program was ${kind}` })),
    )
  }
  return await Promise.race([...ends, look().then(() => ok())])
}

/** In the unit waypipe is the Wayland server, and the other end of its socket is the host. */
async function show(
  unit: Unit,
  { argv, env }: Programs,
  program: string,
): Promise<Result<GuestProcess, HostError>> {
  const there = ['--socket', '/run/spectrum/services/display', '--display', 'wayland-0']
  const server = argv('waypipe', '--no-gpu', '--threads', '1', ...there, 'server', '--', ...argv(program))
  return unit.spawn(server, { env: { ...env, XDG_RUNTIME_DIR: '/tmp' } })
}

export interface Powers {
  readonly upstream: string
  /** The windows stay until it resolves. */
  look(): Promise<void>
  /** What the policies of the units say. */
  readonly onLine?: ((unit: string, text: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export type WindowsError = HostError | { readonly kind: string; readonly message: string }
