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
 */
export function displayService(options: DisplayOptions): Result<OwningService, DisplayFault | NoDisplay> {
  return linuxDisplayMachine().andThen((machine) => displayServiceWith(machine, options))
}
