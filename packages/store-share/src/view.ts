/**
 * Live views: a read-only file server over vhost-user that shows exactly what it was granted, and grows.
 *
 * @packageDocumentation
 */

export type { ControlFailureKind, FrontEndGone } from './view/control/messages.js'
export { type ProgramEnd, type ProgramPowers, runViewProgram } from './view/control/program.js'
export type { ViewError } from './view/errors.js'
export { type FakeView, fakeView } from './view/fake.js'
export type { FillRandom } from './view/fuse/inode-numbers.js'
export type { FuseCounters, FuseLimits } from './view/fuse/server.js'
export type { GrantProblem } from './view/grants.js'
export { DEFAULT_LIMITS, type ViewLimits } from './view/limits.js'
export type { MemoryLimits } from './view/memory/regions.js'
export {
  type OpenViewOptions,
  type OpenViewPowers,
  openGrant,
  openView,
  type ViewProcess,
  type ViewProcesses,
} from './view/open.js'
export { type ServeViewOptions, serveView, type ViewCounters, type ViewServer } from './view/serve.js'
export type { ConnectionEnd } from './view/vhost/connection.js'
export type { RingCounters } from './view/vhost/vring.js'
export type { View, ViewEnd, ViewOptions, ViewPath } from './view/view.js'
