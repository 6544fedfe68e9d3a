/**
 * The control socket of a running crosvm, and the allow-list of its file server.
 *
 * @packageDocumentation
 */

export { type AllowListOptions, decodeAllowListReply, FsAllowList } from './control/allow-list.js'
export { CrosvmControl } from './control/client.js'
export type { Clock, PacketSocket, PacketSockets } from './control/connection.js'
export type { ControlError } from './control/errors.js'
export {
  type ExactJson,
  type JsonError,
  type PlainJson,
  parseExactJson,
  printExactJson,
} from './control/exact-json.js'
export {
  type AttachedUsbDevice,
  type BalloonStat,
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
  type BatteryHealth,
  type BatteryStatus,
  type ControlRequest,
  type DisplaySettings,
  type EncodedRequest,
  encodeRequest,
  type RegisteredEvent,
} from './control/request.js'
export type { Answer, ControlOptions, ControlPowers, RequestOptions } from './control/requester.js'
export { type ControlFeature, pointless } from './control/unsupported.js'
