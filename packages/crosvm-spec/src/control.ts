/**
 * The control socket of a running crosvm, and the allow-list of its file server.
 *
 * @packageDocumentation
 */

export { type AllowListOptions, decodeAllowListReply, FsAllowList } from './control/allow-list.js'
export { CrosvmControl } from './control/client.js'
export type { Clock, PacketSocket, PacketSockets } from './control/connection.js'
export type { ControlError } from './control/errors.js'
export { type ExactJson, type JsonError, parseExactJson, printExactJson } from './control/exact-json.js'
export {
  type AttachedUsbDevice,
  type BalloonStats,
  type ControlReply,
  type Display,
  decodeReply,
  type ReplyError,
  type SwapStatus,
  type VcpuThread,
  type WorkingSetBucket,
} from './control/reply.js'
export {
  type BatteryChange,
  type ControlRequest,
  type DisplaySettings,
  encodeRequest,
  type RegisteredEvent,
} from './control/request.js'
export type { ControlOptions, ControlPowers, RequestOptions } from './control/requester.js'
export { type ControlFeature, pointless } from './control/unsupported.js'
