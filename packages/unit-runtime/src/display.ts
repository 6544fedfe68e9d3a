/**
 * Windows of units on the desktop: a service of the host for each unit's display.
 *
 * @packageDocumentation
 */

import type { Result } from 'neverthrow'
import type { OwningService } from './broker/owning-service.js'
import { type DisplayFault, type DisplayOptions, displayServiceWith } from './display/display-service.js'
import { linuxDisplayMachine, type NoDisplay } from './linux/display-machine.js'

export {
  Display,
  type DisplayFault,
  type DisplayMachine,
  type DisplayOptions,
  displayServiceWith,
  type Parts,
  type UnitWindows,
} from './display/display-service.js'
export type { NoDisplay } from './linux/display-machine.js'

/**
 * Shows the windows of units on this machine's desktop: a value for `openHost({ services })`, to which graphs are wired
 * by `fromHost(Display, …)`. It needs waypipe, here and in the unit. Errors: a policy that is none, or `native-missing`.
 *
 * @example
 * ```ts
 * import { compose, closure, defineUnit, fromHost, nixStore, openHost } from '@spectrum/unit-runtime'
 * import { Display, displayService } from '@spectrum/unit-runtime/display'
 *
 * const display = displayService({
 *   upstream: '/run/user/1000/wayland-1',
 *   units: { mail: { colour: '#1f6f3f', policy: { clipboard: { mode: 'paste-in' } } } },
 * })._unsafeUnwrap()
 * const mail = defineUnit('mail', { store: closure('/nix/store/…-mail'), needs: { display: Display } })
 * const graph = compose({ mail }).wire({ mail: { display: fromHost(Display, 'display') } })._unsafeUnwrap()
 * await using host = (await openHost({ store: nixStore(), services: { display } }))._unsafeUnwrap()
 * ;(await host.start(graph))._unsafeUnwrap()
 * ```
 */
export function displayService(options: DisplayOptions): Result<OwningService, DisplayFault | NoDisplay> {
  return linuxDisplayMachine().andThen((machine) => displayServiceWith(machine, options))
}
