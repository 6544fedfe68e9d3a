/**
 * Protocol version 4 as data: every frame, who may send it, and its fields in order with their bounds. The
 * codec, the documentation's table and the constants of the C agent are checked against this one table.
 */

/**
 * Version 2 brought calls; version 3 terminals, users, files, volumes, the clock, and an end in order, which has
 * a deadline since version 4. Nobody speaks an older one any more: a host boots its units with the agent of this very package.
 */
export const protocolVersion = { min: 4, max: 4 } as const

export const limits = {
  /** Bytes of a frame including its length prefix. */
  frameBytes: 65_536,
  /** Bytes of data in one chunk of a stream. */
  chunkBytes: 32_768,
  /** Bytes of stdin the agent holds for one command: the credit the host starts with. */
  stdinWindow: 65_536,
  /** Bytes of stdout or stderr the host holds for one command; the credit it gives at start. */
  outputWindow: 262_144,
  /** The most credit that may be outstanding on one stream. */
  maxCredit: 1_048_576,
  runningCommands: 64,
  argvCount: 1_024,
  envCount: 1_024,
  /** Names in one mount, over all its frames. */
  mountNames: 16_384,
  mountDevices: 255,
  /** The longest that a unit waits for the devices of a mount. */
  mountDeadlineMs: 600_000,
  nameBytes: 244,
  /** The tag of a virtio-fs device. */
  tagBytes: 36,
  /** Names that a listing of the store may have. */
  listedNames: 65_536,
  listedNameBytes: 255,
  pathBytes: 4_095,
  /** Services of one unit. */
  services: 256,
  serviceNameBytes: 64,
  /** The path of a Unix socket, as the kernel takes it with its NUL. */
  socketPathBytes: 107,
  /** Calls of the unit's programs that are open at once, and as many connections of the host. */
  openCalls: 64,
  openConnections: 64,
  /** Bytes that may be under way in each direction of one stream. */
  streamWindow: 262_144,
  messageBytes: 512,
  /** Volumes that are mounted at once. */
  volumes: 16,
  /** A virtio serial number, as the specification bounds it. */
  serialBytes: 20,
  fileSystemBytes: 16,
  volumePathBytes: 255,
  /** 2020-01-01 and 2200-01-01: a clock that is set to anything else is a mistake. Microseconds since 1970. */
  clockFromMicroseconds: 1_577_836_800_000_000,
  clockToMicroseconds: 7_258_118_400_000_000,
  entropyFromBytes: 32,
  entropyBytes: 512,
  /** The longest that a unit waits for its processes to end by themselves. */
  shutdownGraceMs: 600_000,
  /** The same for all of its end, up to the power. */
  shutdownDeadlineMs: 1_200_000,
  /** Bytes of a file that is put or got. */
  fileBytes: 1_099_511_627_776,
  /** What a unit says of a file before its content, or after it was put. */
  fileResultBytes: 15,
} as const

export type Field =
  | { readonly is: 'u8' | 'u16' | 'u32' | 'u64' }
  /** 64 lower-case hexadecimal digits as ASCII. */
  | { readonly is: 'id' }
  /** u16 length, then UTF-8 without NUL. */
  | { readonly is: 'text'; readonly max: number }
  /** u16 count, then so many texts or ids. */
  | { readonly is: 'texts'; readonly maxCount: number; readonly max: number }
  | { readonly is: 'ids'; readonly maxCount: number }
  /** The rest of the frame: at least one byte. */
  | { readonly is: 'rest'; readonly max: number }

export interface FrameShape {
  readonly code: number
  readonly from: 'unit' | 'host'
  readonly fields: Readonly<Record<string, Field>>
}

const u8 = { is: 'u8' } as const
const u16 = { is: 'u16' } as const
const u32 = { is: 'u32' } as const
const u64 = { is: 'u64' } as const
const id = { is: 'id' } as const
const text = (max: number) => ({ is: 'text', max }) as const
const texts = (maxCount: number, max: number) => ({ is: 'texts', maxCount, max }) as const
const rest = (max: number) => ({ is: 'rest', max }) as const
const anyText = 61_440

export const frames = {
  hello: {
    code: 0x01,
    from: 'unit',
    fields: { minVersion: u16, maxVersion: u16, bootId: text(36), release: text(64), machine: text(64) },
  },
  pong: { code: 0x02, from: 'unit', fields: { nonce: u32 } },
  started: { code: 0x10, from: 'unit', fields: { command: u32 } },
  'not-started': {
    code: 0x11,
    from: 'unit',
    fields: { command: u32, reason: u8, errno: u32, message: text(limits.messageBytes) },
  },
  output: {
    code: 0x12,
    from: 'unit',
    fields: { command: u32, stream: u8, offset: u64, bytes: rest(limits.chunkBytes) },
  },
  'output-end': { code: 0x13, from: 'unit', fields: { command: u32, stream: u8, offset: u64, how: u8 } },
  'stdin-credit': { code: 0x14, from: 'unit', fields: { command: u32, credit: u32 } },
  'stdin-closed': { code: 0x15, from: 'unit', fields: { command: u32 } },
  ended: { code: 0x16, from: 'unit', fields: { command: u32, how: u8, value: u32, coreDumped: u8 } },
  signalled: { code: 0x20, from: 'unit', fields: { request: u32, errno: u32 } },
  mounted: {
    code: 0x21,
    from: 'unit',
    fields: { request: u32, dax: u8, names: u32, bound: rest(limits.mountNames / 8) },
  },
  failed: {
    code: 0x22,
    from: 'unit',
    fields: { request: u32, kind: u8, errno: u32, feature: text(64), message: text(limits.messageBytes) },
  },
  'powering-off': { code: 0x23, from: 'unit', fields: { request: u32 } },
  'store-names': {
    code: 0x24,
    from: 'unit',
    fields: { request: u32, last: u8, names: texts(limits.mountNames, limits.listedNameBytes) },
  },
  unbound: {
    code: 0x25,
    from: 'unit',
    fields: { request: u32, names: u32, processes: u32, bits: rest(limits.mountNames / 4) },
  },
  offered: { code: 0x26, from: 'unit', fields: { request: u32 } },
  done: { code: 0x27, from: 'unit', fields: { request: u32 } },
  'clock-set': { code: 0x28, from: 'unit', fields: { request: u32, before: u64 } },
  'shutdown-step': { code: 0x29, from: 'unit', fields: { request: u32, step: u8, count: u32, left: u32 } },
  call: { code: 0x30, from: 'unit', fields: { stream: u32, service: text(limits.serviceNameBytes) } },
  connected: { code: 0x31, from: 'unit', fields: { stream: u32, errno: u32 } },
  received: {
    code: 0x32,
    from: 'unit',
    fields: { stream: u32, offset: u64, bytes: rest(limits.chunkBytes) },
  },
  'received-end': { code: 0x33, from: 'unit', fields: { stream: u32, offset: u64 } },
  'send-credit': { code: 0x34, from: 'unit', fields: { stream: u32, credit: u32 } },
  'send-closed': { code: 0x35, from: 'unit', fields: { stream: u32 } },
  closed: { code: 0x36, from: 'unit', fields: { stream: u32 } },

  welcome: { code: 0x81, from: 'host', fields: { version: u16 } },
  ping: { code: 0x82, from: 'host', fields: { nonce: u32 } },
  exec: {
    code: 0x90,
    from: 'host',
    fields: {
      command: u32,
      stdinOpen: u8,
      stdoutCredit: u32,
      stderrCredit: u32,
      rows: u16,
      columns: u16,
      uid: u32,
      gid: u32,
      cwd: text(limits.pathBytes),
      argv: texts(limits.argvCount, anyText),
      env: texts(limits.envCount, anyText),
    },
  },
  stdin: { code: 0x91, from: 'host', fields: { command: u32, offset: u64, bytes: rest(limits.chunkBytes) } },
  'stdin-end': { code: 0x92, from: 'host', fields: { command: u32, offset: u64 } },
  'output-credit': { code: 0x93, from: 'host', fields: { command: u32, stream: u8, credit: u32 } },
  signal: { code: 0x94, from: 'host', fields: { request: u32, command: u32, signal: u8 } },
  kill: { code: 0x95, from: 'host', fields: { command: u32 } },
  resize: { code: 0x96, from: 'host', fields: { request: u32, command: u32, rows: u16, columns: u16 } },
  'hang-up': { code: 0x97, from: 'host', fields: { request: u32, command: u32 } },
  mount: {
    code: 0xa0,
    from: 'host',
    fields: {
      request: u32,
      deadlineMs: u32,
      image: id,
      devices: { is: 'ids', maxCount: limits.mountDevices },
      names: u32,
    },
  },
  'mount-names': {
    code: 0xa1,
    from: 'host',
    fields: { request: u32, names: texts(limits.mountNames, limits.nameBytes) },
  },
  'mount-cancel': { code: 0xa2, from: 'host', fields: { request: u32 } },
  'power-off': { code: 0xa3, from: 'host', fields: { request: u32 } },
  'list-store': { code: 0xa4, from: 'host', fields: { request: u32 } },
  'mount-view': {
    code: 0xa5,
    from: 'host',
    fields: { request: u32, deadlineMs: u32, tag: text(limits.tagBytes), names: u32 },
  },
  unbind: { code: 0xa6, from: 'host', fields: { request: u32, names: u32 } },
  'offer-services': {
    code: 0xa7,
    from: 'host',
    fields: { request: u32, names: texts(limits.services, limits.serviceNameBytes) },
  },
  'mount-volume': {
    code: 0xa8,
    from: 'host',
    fields: {
      request: u32,
      deadlineMs: u32,
      readOnly: u8,
      serial: text(limits.serialBytes),
      fileSystem: text(limits.fileSystemBytes),
      path: text(limits.volumePathBytes),
    },
  },
  'set-clock': { code: 0xa9, from: 'host', fields: { request: u32, microseconds: u64 } },
  'add-entropy': { code: 0xaa, from: 'host', fields: { request: u32, bytes: rest(limits.entropyBytes) } },
  'shut-down': { code: 0xab, from: 'host', fields: { request: u32, graceMs: u32, deadlineMs: u32 } },
  connect: { code: 0xb0, from: 'host', fields: { stream: u32, path: text(limits.socketPathBytes) } },
  send: { code: 0xb1, from: 'host', fields: { stream: u32, offset: u64, bytes: rest(limits.chunkBytes) } },
  'send-end': { code: 0xb2, from: 'host', fields: { stream: u32, offset: u64 } },
  'receive-credit': { code: 0xb3, from: 'host', fields: { stream: u32, credit: u32 } },
  'receive-stop': { code: 0xb4, from: 'host', fields: { stream: u32 } },
  reset: { code: 0xb5, from: 'host', fields: { stream: u32 } },
  'put-file': {
    code: 0xb6,
    from: 'host',
    fields: {
      stream: u32,
      size: u64,
      mode: u16,
      uid: u32,
      gid: u32,
      below: text(limits.pathBytes),
      path: text(limits.pathBytes),
    },
  },
  'get-file': {
    code: 0xb7,
    from: 'host',
    fields: { stream: u32, below: text(limits.pathBytes), path: text(limits.pathBytes) },
  },
} as const satisfies Record<string, FrameShape>

type Frames = typeof frames
export type FrameName = keyof Frames
type ValueOf<F> = F extends { is: 'text' | 'id' }
  ? string
  : F extends { is: 'texts' | 'ids' }
    ? readonly string[]
    : F extends { is: 'rest' }
      ? Uint8Array
      : number

/** A frame as a value: `{ type: 'output', command, stream, offset, bytes }`. */
export type Frame<Name extends FrameName = FrameName> = {
  [N in Name]: { readonly type: N } & {
    readonly [K in keyof Frames[N]['fields']]: ValueOf<Frames[N]['fields'][K]>
  }
}[Name]

export type UnitFrameName = { [N in FrameName]: Frames[N]['from'] extends 'unit' ? N : never }[FrameName]
export type HostFrameName = { [N in FrameName]: Frames[N]['from'] extends 'host' ? N : never }[FrameName]
export type UnitFrame = Frame<UnitFrameName>
export type HostFrame = Frame<HostFrameName>

/** Numbers inside frames. */
export const codes = {
  stream: { stdout: 1, stderr: 2 },
  /** How a stream ended: at end-of-file, or cut because a left-over process held it. */
  end: { eof: 0, cut: 1 },
  ended: { exited: 0, signalled: 1, oom: 2 },
  notStarted: {
    'not-found': 1,
    'not-executable': 2,
    permission: 3,
    'bad-cwd': 4,
    resources: 5,
    other: 6,
    'bad-user': 7,
  },
  failed: { refused: 1, 'kernel-lacks': 2, 'timed-out': 3, cancelled: 4 },
  /** No user: the command runs as the agent does. */
  user: { own: 0xffffffff },
  shutdownStep: { asked: 1, killed: 2, unmounted: 3, synced: 4 },
  /** What a unit says of a file. */
  file: { done: 0, failed: 1, directory: 2, 'not-regular': 3, cut: 4 },
} as const
