export {
  type Captured,
  type CapturedMessage,
  type CaptureError,
  parseCapture,
} from './diagnostics/capture.js'
export type { Counters } from './diagnostics/recorder.js'
export { type Explanation, explain } from './policy/explain.js'
export { DEFAULT_LIMITS, type Limit, type Limits } from './policy/limits.js'
export {
  type ClipboardPolicy,
  DEFAULT_POLICY,
  type FramePolicy,
  type GlobalRule,
  type IdentityPolicy,
  type Policy,
  type PolicyError,
  parsePolicy,
  policySchema,
  readPolicy,
} from './policy/policy.js'
export { WARNINGS, type Warning, type WarningCode } from './policy/warnings.js'
export type { CompiledInterface, CompiledMessage } from './protocol/compile.js'
export type { ProtocolError } from './protocol/errors.js'
export { type Protocol, parseProtocol } from './protocol/parse.js'
export { extendedTable, type ProtocolTable, protocolTable, standardInterfaces } from './protocol/table.js'
export { printTables, readTables } from './protocol/text.js'
export { type ProxyOptions, WaylandProxy } from './proxy.js'
export type { Ending } from './relay/endings.js'
export type { PipePowers, Question, RelayPowers } from './relay/unit-context.js'
export { type Acceptance, acceptClients } from './transport/acceptor.js'
export { type Carry, type CrossDomainPowers, carryAcrossDomains } from './transport/cross-domain.js'
export {
  openSecurityContext,
  type SecurityContext,
  type SecurityContextError,
  type SecurityContextPowers,
  type SecurityContextRequest,
} from './transport/security-context.js'
export {
  type DisplayError,
  type DisplayPowers,
  type DisplayProcess,
  type DisplayProcesses,
  type DisplayRequest,
  type DisplayStream,
  UnitDisplay,
} from './transport/unit-display.js'
export { type Decoded, decodeArguments } from './wire/decode.js'
export { type Encoded, encodeMessage } from './wire/encode.js'
export type { WireError } from './wire/errors.js'
export { type Frame, HEADER_BYTES, MOST_MESSAGE_BYTES, nextFrame } from './wire/framing.js'
export type {
  Argument,
  ArgumentSignature,
  ArgumentType,
  Interface,
  MessageSignature,
} from './wire/signature.js'
