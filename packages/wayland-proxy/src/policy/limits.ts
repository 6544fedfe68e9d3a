/**
 * What a unit may cost the host. Every number is whole and can be set, within the range that stands with it; a client
 * that goes beyond is cut off, others go on.
 */
export interface Limits {
  /** Clients of one unit at a time. More wait to be accepted. 1 to 4,096, by default 64. */
  readonly connections: number
  /**
   * How many connections a unit may open per second, on average; as many again may come at once. 1 to 10,000,
   * by default 20.
   */
  readonly connectionsPerSecond: number
  /** Objects per client, of all kinds, alive at a time. 16 to 1,000,000, by default 20,000. */
  readonly objects: number
  /** `wl_surface` per client, alive at a time. 1 to 100,000, by default 1,000. */
  readonly surfaces: number
  /** `xdg_toplevel`, which are windows, per client. 0 to 10,000, by default 50. */
  readonly toplevels: number
  /** `xdg_popup` per client: menus, tooltips. 0 to 10,000, by default 32. */
  readonly popups: number
  /** `wl_buffer` per client. 1 to 100,000, by default 1,000. */
  readonly buffers: number
  /** `wl_shm_pool` per client, each of which is a mapping of memory. 1 to 10,000, by default 256. */
  readonly pools: number
  /** `wl_region` per client. 1 to 100,000, by default 1,000. */
  readonly regions: number
  /** `wl_registry` per client, each of which is told of every global. 1 to 1,024, by default 16. */
  readonly registries: number
  /**
   * `wl_callback` per client: frames and `wl_display.sync` that were not answered yet. 1 to 100,000, by
   * default 1,000.
   */
  readonly callbacks: number
  /**
   * Requests for an answer, and destroyed objects, that the compositor has not confirmed: more wait. 1 to
   * 1,000,000, by default 4,096.
   */
  readonly unconfirmed: number
  /** Objects of all clients of the unit together. 16 to 10,000,000, by default 60,000. */
  readonly objectsPerUnit: number
  /**
   * `wl_shm_pool` of all clients of the unit together, of each of which the proxy keeps a descriptor. 1 to 65,536, by
   * default 1,024.
   */
  readonly poolsPerUnit: number
  /** Bytes of one shared memory pool. 4 KiB to 2 GiB less one byte, by default 1 GiB. */
  readonly poolBytes: number
  /** Bytes of all pools of the unit together. 4 KiB to 1 TiB, by default 4 GiB. */
  readonly poolBytesPerUnit: number
  /** Rectangles added to or taken from one region. 1 to 1,000,000, by default 1,024. */
  readonly rectanglesPerRegion: number
  /**
   * Damage rectangles of one commit; more become one that covers the surface. 1 to 1,000,000, by default 256.
   */
  readonly damageRectangles: number
  /** Pixels of a width or height of anything. 1 to 1,000,000, by default 16,384. */
  readonly pixels: number
  /**
   * Pixels of a width or height of an image of the pointer, which no frame goes round. 1 to 16,384, by
   * default 256.
   */
  readonly cursorPixels: number
  /** Descriptors that arrived without a message that needs them. 2 to 253, by default 28. */
  readonly unclaimedDescriptors: number
  /**
   * Descriptors that the proxy holds for the unit at a time: a client that sends more is refused, one that leaves
   * more unread is cut off. 16 to 65,536, by default 256.
   */
  readonly descriptorsPerUnit: number
  /**
   * How many messages of one client are served before the others have their turn. 1 to 1,000,000, by default
   * 1,000.
   */
  readonly messagesPerTurn: number
  /** For how many milliseconds at most it is served before that. 1 to 1,000, by default 1. */
  readonly millisecondsPerTurn: number
  /**
   * Requests per second of one client on average; 0: no limit but the turns. More wait. 0 to 10,000,000, by
   * default 0.
   */
  readonly requestsPerSecond: number
  /**
   * While the compositor has so many bytes to read, the client is not read. 4 KiB to 64 MiB, by default 256
   * KiB.
   */
  readonly compositorQueueBytes: number
  /**
   * While the client has so many bytes to read, besides what the kernel holds for it, pointer motions replace one
   * another. 0 to 256 MiB, by default 16 KiB.
   */
  readonly coalesceAboveBytes: number
  /**
   * A client that leaves so many bytes unread, besides what the kernel holds for it, is cut off, with the warning
   * `W-SLOW-READER`. 8 KiB to 256 MiB, by default 1 MiB, which is what sway, KWin and Mutter hold for a client.
   */
  readonly clientQueueBytes: number
  /**
   * When the clients of the unit together leave so many bytes unread, and one of them more than 64 KiB, the one that
   * leaves most is cut off, with the same warning. 64 KiB to 4 GiB, by default 1 MiB: one client may use all of it.
   */
  readonly clientQueueBytesPerUnit: number
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
  poolsPerUnit: 1_024,
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
  coalesceAboveBytes: 16 * 1024,
  clientQueueBytes: 2 ** 20,
  clientQueueBytesPerUnit: 2 ** 20,
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
  poolsPerUnit: [1, 65_536],
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
  clientQueueBytesPerUnit: [65_536, 2 ** 32],
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
