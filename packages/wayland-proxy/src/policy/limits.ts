/** What a unit may cost the host. Every number can be set; a client that goes beyond is cut off, others go on. */
export interface Limits {
  /** Clients of one unit at a time. More wait to be accepted. */
  readonly connections: number
  /** How many connections a unit may open per second, on average; as many again may come at once. */
  readonly connectionsPerSecond: number
  /** Objects per client, of all kinds, alive at a time. */
  readonly objects: number
  /** `wl_surface` per client, alive at a time. */
  readonly surfaces: number
  /** `xdg_toplevel`, which are windows, per client. */
  readonly toplevels: number
  /** `xdg_popup` per client: menus, tooltips. */
  readonly popups: number
  /** `wl_buffer` per client. */
  readonly buffers: number
  /** `wl_shm_pool` per client, each of which is a mapping of memory. */
  readonly pools: number
  /** `wl_region` per client. */
  readonly regions: number
  /** `wl_registry` per client, each of which is told of every global. */
  readonly registries: number
  /** Frame callbacks that the compositor has not answered. */
  readonly callbacks: number
  /** Requests for an answer, and destroyed objects, that the compositor has not confirmed: more wait. */
  readonly unconfirmed: number
  /** Objects of all clients of the unit together. */
  readonly objectsPerUnit: number
  /** Bytes of one shared memory pool. */
  readonly poolBytes: number
  /** Bytes of all pools of the unit together. */
  readonly poolBytesPerUnit: number
  /** Rectangles added to or taken from one region. */
  readonly rectanglesPerRegion: number
  /** Damage rectangles of one commit; more become one that covers the surface. */
  readonly damageRectangles: number
  /** Pixels of a width or height of anything. */
  readonly pixels: number
  /** The same of an image of the pointer, which no frame goes round. */
  readonly cursorPixels: number
  /** Descriptors that arrived without a message that needs them. */
  readonly unclaimedDescriptors: number
  /** Descriptors that the proxy holds for the unit at a time. */
  readonly descriptorsPerUnit: number
  /** How many messages of one client are served before the others have their turn. */
  readonly messagesPerTurn: number
  /** For how long at most it is served before that. */
  readonly millisecondsPerTurn: number
  /** Requests per second of one client on average; 0: no limit but the turns. More wait. */
  readonly requestsPerSecond: number
  /** While the compositor has so much to read, the client is not read. */
  readonly compositorQueueBytes: number
  /** While the client has so much to read, pointer motions replace one another. */
  readonly coalesceAboveBytes: number
  /** A client that leaves so much unread is cut off. */
  readonly clientQueueBytes: number
}

/** The limits of a policy that names none. */
export const DEFAULT_LIMITS: Limits = {
  connections: 64,
  connectionsPerSecond: 20,
  objects: 20_000,
  surfaces: 1_000,
  toplevels: 50,
  popups: 32,
  buffers: 1_000,
  pools: 256,
  regions: 1_000,
  registries: 16,
  callbacks: 1_000,
  unconfirmed: 4_096,
  objectsPerUnit: 60_000,
  poolBytes: 1 << 30,
  poolBytesPerUnit: 4 * 2 ** 30,
  rectanglesPerRegion: 1_024,
  damageRectangles: 256,
  pixels: 16_384,
  cursorPixels: 256,
  unclaimedDescriptors: 28,
  descriptorsPerUnit: 256,
  messagesPerTurn: 1_000,
  millisecondsPerTurn: 1,
  requestsPerSecond: 0,
  compositorQueueBytes: 256 * 1024,
  coalesceAboveBytes: 64 * 1024,
  clientQueueBytes: 4 * 2 ** 20,
}

/** The name of a limit. */
export type Limit = keyof Limits

/** What a number may be, so that a typing error is no open door. Everything is whole. */
export const LIMIT_BOUNDS: Readonly<Record<Limit, readonly [number, number]>> = {
  connections: [1, 4_096],
  connectionsPerSecond: [1, 10_000],
  objects: [16, 1_000_000],
  surfaces: [1, 100_000],
  toplevels: [0, 10_000],
  popups: [0, 10_000],
  buffers: [1, 100_000],
  pools: [1, 10_000],
  regions: [1, 100_000],
  registries: [1, 1_024],
  callbacks: [1, 100_000],
  unconfirmed: [1, 1_000_000],
  objectsPerUnit: [16, 10_000_000],
  poolBytes: [4_096, 2 ** 31 - 1],
  poolBytesPerUnit: [4_096, 2 ** 40],
  rectanglesPerRegion: [1, 1_000_000],
  damageRectangles: [1, 1_000_000],
  pixels: [1, 1_000_000],
  cursorPixels: [1, 16_384],
  unclaimedDescriptors: [2, 253],
  descriptorsPerUnit: [16, 65_536],
  messagesPerTurn: [1, 1_000_000],
  millisecondsPerTurn: [1, 1_000],
  requestsPerSecond: [0, 10_000_000],
  compositorQueueBytes: [4_096, 2 ** 26],
  coalesceAboveBytes: [0, 2 ** 28],
  clientQueueBytes: [8_192, 2 ** 28],
}

/** Kinds of objects that have a limit of their own. */
export const LIMITED_INTERFACES: Readonly<Record<string, Limit>> = {
  wl_surface: 'surfaces',
  xdg_toplevel: 'toplevels',
  xdg_popup: 'popups',
  wl_buffer: 'buffers',
  wl_shm_pool: 'pools',
  wl_region: 'regions',
  wl_registry: 'registries',
  wl_callback: 'callbacks',
}
