import type { Fd, Inspection } from '@spectrum/unix-fd'
import type { ProtocolObject } from '../objects/protocol-object.js'
import { DISPLAY_ERROR } from '../relay/endings.js'
import { type Hook, type Hooks, type Outcome, PASS, type RelayedMessage } from '../relay/hooks.js'

/** wl_shm.error. */
const INVALID_STRIDE = 1
const INVALID_FD = 2

/** Memory that a unit shares with the compositor: counted until neither the pool nor a buffer in it is left. */
interface Pool {
  bytes: number
  holders: number
  /** The same file as the compositor's, to see how large it is when the pool grows; the pool's, and closed with it. */
  readonly file: Fd
}

const pools = new WeakMap<ProtocolObject, Pool>()

function release(relayed: RelayedMessage, pool: Pool): void {
  pool.holders -= 1
  if (pool.holders === 0) relayed.session.unit.census.poolBytes -= pool.bytes
}

/** Whether the pool may have so many bytes, `more` than before, of this file. */
function admit(relayed: RelayedMessage, bytes: number, more: number, file: Inspection): Outcome {
  const { session, object } = relayed
  const { limits } = session.unit.policy
  if (bytes > 0 && BigInt(bytes) > file.size) {
    const text = `a pool of ${bytes} bytes in a file of ${file.size}`
    const outcome = session.forbid('W-POOL-SIZE', text, INVALID_FD, object)
    if (outcome !== PASS) return outcome
  }
  if (bytes > limits.poolBytes) {
    return session.forbid(
      'W-POOL-SIZE',
      `a pool of ${bytes} bytes, of ${limits.poolBytes} at most`,
      INVALID_FD,
      object,
    )
  }
  if (session.unit.census.poolBytes + more > limits.poolBytesPerUnit) {
    const text = `the unit shares more than ${limits.poolBytesPerUnit} bytes of memory`
    return session.forbid('W-POOL-SIZE', text, INVALID_FD, object)
  }
  return PASS
}

const createPool: Hook = (relayed) => {
  const { session, object } = relayed
  const bytes = relayed.number(2)
  const inspected = session.unit.powers.inspect(relayed.descriptor(1))
  if (inspected.isErr() || inspected.value.type !== 'file') {
    const type = inspected.isOk() ? inspected.value.type : inspected.error.message
    return session.forbid(
      'W-DESCRIPTOR-KIND',
      `shared memory must be a file: this is ${type}`,
      INVALID_FD,
      object,
    )
  }
  const { census, policy } = session.unit
  const most = policy.limits.poolsPerUnit
  if (census.pools >= most)
    return session.refuse(DISPLAY_ERROR.noMemory, `the unit has ${most} pools`, 'W-LIMIT')
  const outcome = admit(relayed, bytes, bytes, inspected.value)
  if (outcome !== PASS) return outcome
  relayed.afterwards = ([created]) => {
    const file = relayed.descriptor(1).duplicate()
    if (file.isErr()) {
      session.refuse(DISPLAY_ERROR.noMemory, `a pool's file cannot be kept: ${file.error.message}`, 'W-LIMIT')
      return
    }
    const pool: Pool = { bytes: Math.max(0, bytes), holders: 1, file: file.value }
    census.poolBytes += pool.bytes
    census.pools += 1
    pools.set(created!, pool)
    created!.whenGone = () => {
      pool.file.close()
      census.pools -= 1
      release(relayed, pool)
    }
  }
  return PASS
}

const resizePool: Hook = (relayed) => {
  const pool = pools.get(relayed.object)
  const bytes = relayed.number(0)
  // A pool cannot shrink: the compositor says so.
  if (pool === undefined || bytes <= pool.bytes) return PASS
  const inspected = relayed.session.unit.powers.inspect(pool.file)
  if (inspected.isErr()) {
    return relayed.session.refuse(DISPLAY_ERROR.implementation, `a pool's file: ${inspected.error.message}`)
  }
  const outcome = admit(relayed, bytes, bytes - pool.bytes, inspected.value)
  if (outcome !== PASS) return outcome
  relayed.session.unit.census.poolBytes += bytes - pool.bytes
  pool.bytes = bytes
  return PASS
}

const createBuffer: Hook = (relayed) => {
  const { session, object } = relayed
  const [offset, width, height, stride] = [1, 2, 3, 4].map((index) => relayed.number(index))
  const most = session.unit.policy.limits.pixels
  const pool = pools.get(object)
  const fits =
    offset! >= 0 &&
    width! > 0 &&
    height! > 0 &&
    width! <= most &&
    height! <= most &&
    stride! >= width! &&
    pool !== undefined &&
    offset! + stride! * height! <= pool.bytes
  if (!fits) {
    const text = `a buffer of ${width} by ${height} pixels, ${stride} bytes a row, at ${offset} of its pool`
    const outcome = session.forbid('W-NUMBER', text, INVALID_STRIDE, object)
    if (outcome !== PASS || pool === undefined) return outcome
  }
  relayed.afterwards = ([created]) => {
    pool!.holders += 1
    created!.whenGone = () => release(relayed, pool!)
  }
  return PASS
}

type Kind = Inspection['type']

/** What a descriptor may be by the message it came with; anything else is no use to the compositor. */
const KINDS: Readonly<Record<string, readonly Kind[]>> = {
  // Memory and fences of the GPU have no type of file.
  'zwp_linux_buffer_params_v1.add': ['anonymous'],
  'zwp_linux_surface_synchronization_v1.set_acquire_fence': ['anonymous'],
  'wp_linux_drm_syncobj_manager_v1.import_timeline': ['anonymous'],
  'wl_drm.create_prime_buffer': ['anonymous'],
}

function checkKinds(kinds: readonly Kind[]): Hook {
  return (relayed) => {
    for (const value of relayed.values) {
      if (value.kind !== 'fd') continue
      const inspected = relayed.session.unit.powers.inspect(value.descriptor)
      const type = inspected.isOk() ? inspected.value.type : undefined
      if (type !== undefined && kinds.includes(type)) continue
      const text = `${relayed.message.fullName}: a descriptor of ${type ?? 'no known kind'}`
      const outcome = relayed.session.forbid('W-DESCRIPTOR-KIND', text, 3)
      if (outcome !== PASS) return outcome
    }
    return PASS
  }
}

/** For messages that no rule knows: nothing that talks back, and no device. */
const checkOtherKinds: Hook = checkKinds(['file', 'pipe', 'anonymous'])

const checks = Object.fromEntries(Object.entries(KINDS).map(([name, kinds]) => [name, checkKinds(kinds)]))

const bufferSize =
  (width: number): Hook =>
  (relayed) => {
    const most = relayed.session.unit.policy.limits.pixels
    const [x, y] = [relayed.number(width), relayed.number(width + 1)]
    if (x > 0 && y > 0 && x <= most && y <= most) return PASS
    return relayed.session.forbid('W-NUMBER', `a buffer of ${x} by ${y} pixels`, 3)
  }

export const memoryHooks: Hooks = {
  otherDescriptors: checkOtherKinds,
  requests: {
    'wl_shm.create_pool': createPool,
    'wl_shm_pool.resize': resizePool,
    'wl_shm_pool.create_buffer': createBuffer,
    'zwp_linux_buffer_params_v1.create': bufferSize(0),
    'zwp_linux_buffer_params_v1.create_immed': bufferSize(1),
    ...checks,
  },
}
