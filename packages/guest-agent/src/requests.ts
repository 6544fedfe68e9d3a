import { Buffer } from 'node:buffer'
import type {
  GuestCommand,
  GuestUser,
  StoreMount,
  StoreUnbindReport,
  TerminalSize,
  ViewMount,
  VolumeMount,
} from './agent.js'
import { encodeFrame, isDeviceId, ProtocolViolation } from './codec.js'
import type { AgentError } from './errors.js'
import { printable } from './escape.js'
import { codes, type Frame, type HostFrame, limits } from './frames.js'
import { errnoName } from './names.js'

/** Builds the frame of a command, or says which field cannot be sent. */
export function execFrame(command: GuestCommand, id: number): Frame<'exec'> | AgentError {
  const env = Object.entries(command.env ?? {})
  const cwd = command.cwd ?? '/'
  if (command.argv.length === 0) return invalid('argv', 'argv is empty: its first entry is the program')
  if (command.argv[0]?.startsWith('/') !== true) {
    return invalid('argv', `argv[0] must be an absolute path inside the unit, not ${quote(command.argv[0])}`)
  }
  if (!cwd.startsWith('/')) return invalid('cwd', `cwd must be an absolute path, not ${quote(cwd)}`)
  const wrong =
    (command.pty === undefined ? undefined : faultOfSize(command.pty)) ?? faultOfUser(command.user)
  if (wrong !== undefined) return wrong
  const badName = env.find(([name]) => name === '' || name.includes('='))
  if (badName !== undefined) return invalid('env', `${quote(badName[0])} cannot name a variable`)
  if (command.argv.length > limits.argvCount)
    return invalid('argv', `more than ${limits.argvCount} arguments`)
  if (env.length > limits.envCount) return invalid('env', `more than ${limits.envCount} variables`)
  const nul = [
    ['argv', ...command.argv],
    ['env', ...env.flat()],
    ['cwd', cwd],
  ].find(([, ...texts]) => texts.some((text) => text.includes('\0')))
  if (nul !== undefined) return invalid(nul[0]!, `${nul[0]} contains a NUL character`)
  const frame: Frame<'exec'> = {
    type: 'exec',
    command: id,
    stdinOpen: command.stdin === 'open' ? 1 : 0,
    stdoutCredit: limits.outputWindow,
    stderrCredit: command.pty === undefined ? limits.outputWindow : 0,
    rows: command.pty?.rows ?? 0,
    columns: command.pty?.columns ?? 0,
    uid: command.user?.uid ?? codes.user.own,
    gid: command.user?.gid ?? codes.user.own,
    cwd,
    argv: command.argv,
    env: env.map(([name, value]) => `${name}=${value}`),
  }
  try {
    encodeFrame(frame)
    return frame
  } catch {
    return invalid(
      'argv',
      `arguments, environment and working directory are together longer than ${limits.frameBytes} bytes: pass large input by stdin`,
    )
  }
}

/** Why a terminal cannot have this size. */
export function faultOfSize({ rows, columns }: TerminalSize): AgentError | undefined {
  const fits = (count: number) => Number.isInteger(count) && count >= 1 && count <= 0xffff
  if (fits(rows) && fits(columns)) return undefined
  return invalid('pty', `a terminal of ${rows} rows and ${columns} columns: 1 to 65535 each`)
}

/** Why nobody can be this user. */
export function faultOfUser(user: GuestUser | undefined): AgentError | undefined {
  // The last number means "no change" to the kernel.
  const fits = (id: number) => Number.isInteger(id) && id >= 0 && id < codes.user.own
  if (user === undefined || (fits(user.uid) && fits(user.gid))) return undefined
  return invalid('user', `${user.uid}:${user.gid} is no user: two numbers, 0 to ${codes.user.own - 1}`)
}

/** Why the clock is not set to this. */
export function faultOfClock(epochMs: number): AgentError | undefined {
  const microseconds = epochMs * 1_000
  if (microseconds >= limits.clockFromMicroseconds && microseconds <= limits.clockToMicroseconds)
    return undefined
  return invalid('epochMs', `${epochMs} is no time between 2020 and 2200: milliseconds since 1970, please`)
}

export function faultOfEntropy(bytes: Uint8Array): AgentError | undefined {
  if (bytes.length >= limits.entropyFromBytes && bytes.length <= limits.entropyBytes) return undefined
  return invalid(
    'bytes',
    `${bytes.length} random bytes: ${limits.entropyFromBytes} to ${limits.entropyBytes}`,
  )
}

/** Builds the frame that mounts a volume, or says which field cannot be sent. */
export function volumeFrames(
  { device, fileSystem, path, readOnly }: VolumeMount,
  request: number,
  deadlineMs: number,
): readonly HostFrame[] | AgentError {
  if (!/^[0-9A-Za-z_.-]{1,20}$/.test(device)) {
    return invalid('device', `${quote(device)} is no serial number: 1 to 20 letters, digits, "-", "_", "."`)
  }
  if (fileSystem !== 'ext4') return invalid('fileSystem', `${quote(fileSystem)}: a volume is ext4`)
  if (!mayBeMountedOn(path)) {
    return invalid(
      'path',
      `${quote(path)} is no place for a volume: absolute and canonical, at most ${limits.volumePathBytes} bytes, and nothing the unit itself lives by`,
    )
  }
  return [
    {
      type: 'mount-volume',
      request,
      deadlineMs: patienceOfUnit(deadlineMs),
      readOnly: readOnly === true ? 1 : 0,
      serial: device,
      fileSystem,
      path,
    },
  ]
}

/** The unit itself lives by these. */
const ownPlaces = /^\/(proc|sys|dev|nix|run\/spectrum|modules|init)(\/|$)/

export function mayBeMountedOn(path: string): boolean {
  if (!/^(\/[^/\0]+)+$/.test(path) || Buffer.byteLength(path) > limits.volumePathBytes) return false
  if (path.split('/').some((part) => part === '.' || part === '..')) return false
  return path !== '/run' && !ownPlaces.test(path)
}

/** Builds the frame that offers services, or says which field cannot be sent. */
export function offerFrames(names: readonly string[], request: number): readonly HostFrame[] | AgentError {
  if (names.length === 0) return invalid('names', 'no name: name at least one service')
  if (names.length > limits.services) return invalid('names', `more than ${limits.services} services`)
  const bad = names.find((name) => !/^[a-z][A-Za-z0-9-]{0,63}$/.test(name))
  if (bad !== undefined) {
    return invalid(
      'names',
      `${quote(bad)} cannot name a service: take a lower-case letter, then letters, digits, "-"`,
    )
  }
  return [{ type: 'offer-services', request, names }]
}

/** Why nothing can be connected to at this path. */
export function faultOfSocketPath(path: string): AgentError | undefined {
  const length = Buffer.byteLength(path)
  if (path.startsWith('/') && !path.includes('\0') && length <= limits.socketPathBytes) return undefined
  return invalid(
    'path',
    `${quote(path)} is not the path of a socket: absolute, at most ${limits.socketPathBytes} bytes`,
  )
}

/** What the answer to a mount may take on its way; a quarter of a deadline that is short. */
const ANSWER_MS = 1_000

/** Builds the frames of a mount, or says which field cannot be sent. Any `deadlineMs` will do, Infinity too. */
export function mountFrames(
  mount: StoreMount,
  request: number,
  deadlineMs: number,
): readonly HostFrame[] | AgentError {
  const { image, devices, paths } = mount
  if (!isDeviceId(image)) return invalid('image', 'the id of an image is 64 hexadecimal digits')
  if (!devices.every(isDeviceId)) return invalid('devices', 'the id of a device is 64 hexadecimal digits')
  if (devices.length > limits.mountDevices)
    return invalid('devices', `more than ${limits.mountDevices} devices`)
  const wrong = faultOfPaths(paths)
  if (wrong !== undefined) return wrong
  const frame: HostFrame = {
    type: 'mount',
    request,
    deadlineMs: patienceOfUnit(deadlineMs),
    image,
    devices,
    names: paths.length,
  }
  return [frame, ...nameFrames(request, paths)]
}

/** Builds the frames of a view's mount, or says which field cannot be sent. */
export function viewFrames(
  { tag, paths }: ViewMount,
  request: number,
  deadlineMs: number,
): readonly HostFrame[] | AgentError {
  if (!/^[!-~]{1,36}$/.test(tag))
    return invalid('tag', `a tag is 1 to ${limits.tagBytes} characters of printable ASCII`)
  const wrong = faultOfPaths(paths)
  if (wrong !== undefined) return wrong
  const names = paths.length
  const frame: HostFrame = {
    type: 'mount-view',
    request,
    deadlineMs: patienceOfUnit(deadlineMs),
    tag,
    names,
  }
  return [frame, ...nameFrames(request, paths)]
}

/** Builds the frames that take names away, or says which field cannot be sent. */
export function unbindFrames(paths: readonly string[], request: number): readonly HostFrame[] | AgentError {
  const wrong = faultOfPaths(paths)
  if (wrong !== undefined) return wrong
  return [{ type: 'unbind', request, names: paths.length }, ...nameFrames(request, paths)]
}

/** The unit gives up first, so that its answer, which names the missing device, is not lost to the same deadline. */
function patienceOfUnit(deadlineMs: number): number {
  const inTime = deadlineMs - Math.min(ANSWER_MS, deadlineMs / 4)
  return Math.max(0, Math.min(Math.floor(inTime), limits.mountDeadlineMs))
}

function faultOfPaths(paths: readonly string[]): AgentError | undefined {
  if (paths.length === 0) return invalid('paths', 'no path: name at least one')
  if (paths.length > limits.mountNames) return invalid('paths', `more than ${limits.mountNames} paths`)
  const bad = paths.find((name) => !isStoreName(name))
  return bad === undefined
    ? undefined
    : invalid('paths', `${quote(bad)} is not the base name of a store path`)
}

function nameFrames(request: number, paths: readonly string[]): readonly HostFrame[] {
  const frames: HostFrame[] = []
  // As many names as surely fit one frame: each is at most nameBytes and its length.
  const perFrame = Math.floor((limits.frameBytes - 64) / (limits.nameBytes + 2))
  for (let at = 0; at < paths.length; at += perFrame) {
    frames.push({ type: 'mount-names', request, names: paths.slice(at, at + perFrame) })
  }
  return frames
}

/** Whether this is the base name of a store path: HASH-NAME in Nix's alphabets. */
export const isStoreName = (name: string): boolean =>
  /^[0-9a-df-np-sv-z]{32}-[0-9a-zA-Z+._?=-]{1,211}$/.test(name)

/** Which of the paths were bound, from the bits of the unit's answer. */
export function boundPaths(frame: Frame<'mounted'>, paths: readonly string[]): readonly string[] {
  if (frame.names !== paths.length || frame.bound.length !== Math.ceil(paths.length / 8) || frame.dax > 1) {
    throw new ProtocolViolation('mounted: not an answer to what was asked')
  }
  return namesIn(frame.bound, paths)
}

/** What the unit says it took away. */
export function unboundReport(frame: Frame<'unbound'>, paths: readonly string[]): StoreUnbindReport {
  const half = Math.ceil(paths.length / 8)
  if (frame.names !== paths.length || frame.bits.length !== 2 * half) {
    throw new ProtocolViolation('unbound: not an answer to what was asked')
  }
  const removed = namesIn(frame.bits.subarray(0, half), paths)
  const inUse = namesIn(frame.bits.subarray(half), paths)
  if (inUse.some((name) => !removed.includes(name)) || (inUse.length > 0 && frame.processes === 0)) {
    throw new ProtocolViolation('unbound: in use, and yet not taken away, or by nobody')
  }
  return { removed, inUse, processes: frame.processes }
}

/** One bit per name, lowest first. */
function namesIn(bits: Uint8Array, names: readonly string[]): readonly string[] {
  return names.filter((_, index) => ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0)
}

/** What the unit says went wrong, as an error of ours; its words are escaped. */
export function failureOf(frame: Frame<'failed'>): AgentError {
  const message = printable(frame.message)
  switch (frame.kind) {
    case codes.failed.refused:
      return { kind: 'refused', message, errno: errnoName(frame.errno) }
    case codes.failed['kernel-lacks']:
      return { kind: 'kernel-lacks', message, feature: printable(frame.feature, 64) }
    case codes.failed['timed-out']:
      return { kind: 'timed-out', message }
    case codes.failed.cancelled:
      return { kind: 'aborted', message }
    default:
      throw new ProtocolViolation(`failed: kind ${frame.kind}`)
  }
}

const invalid = (field: string, message: string): AgentError => ({ kind: 'invalid-request', field, message })

const quote = (text: string | undefined): string => JSON.stringify(printable(text ?? '', 80))
