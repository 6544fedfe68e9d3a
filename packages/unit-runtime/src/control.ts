/**
 * A host's control socket, by which other programs of its user see and command its units.
 *
 * @packageDocumentation
 */

export {
  type ControlClient,
  type ControlExec,
  type ControlledLog,
  type ControlWait,
  connectControlWith,
} from './control/client.js'
export type { ControlledCommand } from './control/client-command.js'
export type { ControlError } from './control/errors.js'
export { CONTROL_VERSION, controlFrames, controlLimits } from './control/frames.js'
export type { ControlListener, ControlPowers, ControlSocket, ServePowers } from './control/powers.js'
export type { Injected, LogLine, RemoteFailure, Stopped, UnitStatus, Welcome } from './control/requests.js'
export { type ControlServer, serveControlWith } from './control/server.js'
export { connectControl, findServedHosts, type ServedHost, serveControl } from './linux/control.js'
