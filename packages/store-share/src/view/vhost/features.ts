/** Bits of the device's features. virtio 1.2, 6; bit 30 is vhost-user's own. */
export const FEATURE = {
  indirectDescriptors: 1n << 28n,
  eventIndex: 1n << 29n,
  protocolFeatures: 1n << 30n,
  version1: 1n << 32n,
} as const

export const OFFERED_FEATURES =
  FEATURE.indirectDescriptors | FEATURE.eventIndex | FEATURE.protocolFeatures | FEATURE.version1

/** Bits of vhost-user's protocol features. */
export const PROTOCOL_FEATURE = {
  multiQueue: 1n << 0n,
  replyAck: 1n << 3n,
  config: 1n << 9n,
  configureMemSlots: 1n << 15n,
} as const

export const OFFERED_PROTOCOL_FEATURES =
  PROTOCOL_FEATURE.multiQueue |
  PROTOCOL_FEATURE.replyAck |
  PROTOCOL_FEATURE.config |
  PROTOCOL_FEATURE.configureMemSlots
