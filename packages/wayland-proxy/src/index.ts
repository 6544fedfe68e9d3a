export type { ProtocolError } from './protocol/errors.js'
export { type Protocol, parseProtocol } from './protocol/parse.js'
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
