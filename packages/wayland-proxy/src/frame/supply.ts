import type { Fd, UnixFdError } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { ProtocolObject } from '../objects/protocol-object.js'
import type { FramePolicy } from '../policy/policy.js'
import type { Session } from '../relay/session.js'
import type { UnitContext } from '../relay/unit-context.js'
import type { Argument } from '../wire/signature.js'
import { drawPicture, type Place, pictureBytes } from './picture.js'

/** wl_shm.format */
const XRGB8888 = 1
/** All that frames need of them came with their first versions, but for the damage of buffers. */
const VERSIONS = { wl_compositor: 4, wl_subcompositor: 1, wl_shm: 1 } as const
const NAMES = Object.keys(VERSIONS) as (keyof typeof VERSIONS)[]

const [LEAST, MOST] = [-0x8000_0000, 0x7fff_ffff]

/** What goes beyond 32 bits with a frame round it stays at their end: either side may name any number. */
export const int = (value: number): Argument<Fd> => ({
  kind: 'int',
  value: Math.max(LEAST, Math.min(MOST, value)),
})
export const uint = (value: number): Argument<Fd> => ({ kind: 'uint', value })
export const named = (object: ProtocolObject): Argument<Fd> => ({ kind: 'object', id: object.serverId })
export const begins = (object: ProtocolObject): Argument<Fd> => ({ kind: 'new-id', id: object.serverId })

/** One picture for all clients of a unit, by what it shows and how densely. */
const pictures = new WeakMap<UnitContext, Map<string, Fd>>()

function pictureOf(
  unit: UnitContext,
  { label, colour }: FramePolicy,
  scale: number,
): Result<Fd, UnixFdError> {
  const known = pictures.get(unit) ?? new Map<string, Fd>()
  pictures.set(unit, known)
  const key = `${scale} ${colour} ${label}`
  const found = known.get(key)
  if (found !== undefined) return ok(found)
  return unit.powers.sharedMemory(drawPicture(label, colour, scale)).map((fd) => {
    known.set(key, fd)
    return fd
  })
}

/** Closes the pictures of a unit. Idempotent; who needs one again gets a new one. */
export function discardPictures(unit: UnitContext): void {
  for (const fd of pictures.get(unit)?.values() ?? []) fd.close()
  pictures.delete(unit)
}

/** What one client's frames are made from: the compositor's own interfaces, bound for the proxy alone. */
export class Supply {
  readonly session: Session
  readonly subcompositor: ProtocolObject
  readonly #compositor: ProtocolObject
  readonly #shm: ProtocolObject
  readonly #policy: FramePolicy
  /** By how many pixels their pictures have for one of a window's. */
  readonly #pools = new Map<number, ProtocolObject>()

  private constructor(session: Session, policy: FramePolicy) {
    const [compositor, subcompositor, shm] = NAMES.map((name) => bound(session, name))
    this.session = session
    this.subcompositor = subcompositor!
    this.#compositor = compositor!
    this.#shm = shm!
    this.#policy = policy
  }

  /** The error says what is lacking. */
  static open(session: Session, policy: FramePolicy): Result<Supply, string> {
    const lacking = NAMES.find((name) => session.globals.upstream(name).length === 0)
    if (lacking !== undefined) return err(`the compositor has no ${lacking}`)
    const picture = pictureOf(session.unit, policy, 1).andThen((fd) => fd.duplicate())
    if (picture.isErr()) return err(picture.error.message)
    const supply = new Supply(session, policy)
    supply.#addPool(1, picture.value)
    return ok(supply)
  }

  /** As dense a picture as is wanted where there can be one: without memory for it, the one that there is. */
  scaleFor(wanted: number): number {
    if (this.#pools.has(wanted)) return wanted
    // Surfaces have known how dense they are since their third version.
    if (this.#compositor.version < 3) return 1
    const picture = pictureOf(this.session.unit, this.#policy, wanted).andThen((fd) => fd.duplicate())
    if (picture.isErr()) return 1
    this.#addPool(wanted, picture.value)
    return wanted
  }

  #addPool(scale: number, descriptor: Fd): void {
    const { session } = this
    const pool = session.createOwn(session.unit.interfaceNamed('wl_shm_pool'), 1)
    session.request(this.#shm, 'create_pool', [
      begins(pool),
      { kind: 'fd', descriptor },
      int(pictureBytes(scale)),
    ])
    this.#pools.set(scale, pool)
  }

  surface(): ProtocolObject {
    const surface = this.session.createOwn(
      this.session.unit.interfaceNamed('wl_surface'),
      this.#compositor.version,
    )
    this.session.request(this.#compositor, 'create_surface', [begins(surface)])
    return surface
  }

  /** `scale` as `scaleFor` gave it; the other numbers are of the picture's own pixels. */
  buffer(scale: number, { offset, stride }: Place, width: number, height: number): StripBuffer {
    return new StripBuffer(this.session, (buffer) => {
      this.session.request(this.#pools.get(scale)!, 'create_buffer', [
        begins(buffer),
        ...[offset, width, height, stride].map(int),
        uint(XRGB8888),
      ])
    })
  }
}

function bound(session: Session, name: keyof typeof VERSIONS): ProtocolObject {
  const [global] = session.globals.upstream(name)
  const version = Math.min(global!.version, VERSIONS[name])
  const own = session.createOwn(session.unit.interfaceNamed(name), version)
  session.globals.bindOwn(global!.name, own)
  return own
}

/** A look at the picture. What it shows never changes, but it must outlive the compositor's use of it. */
export class StripBuffer {
  readonly object: ProtocolObject
  readonly #session: Session
  #inUse = true
  #wanted = true

  constructor(session: Session, create: (object: ProtocolObject) => void) {
    this.#session = session
    this.object = session.createOwn(session.unit.interfaceNamed('wl_buffer'), 1, () => {
      this.#inUse = false
      this.#end()
    })
    create(this.object)
  }

  /** Another one has taken its place. */
  retire(): void {
    this.#wanted = false
    this.#end()
  }

  #end(): void {
    if (this.#inUse || this.#wanted || !this.object.alive) return
    this.#session.request(this.object, 'destroy', [])
  }
}

const supplies = new WeakMap<Session, { readonly policy: FramePolicy; readonly supply: Supply }>()

/** The client's supply, which is opened when it is first needed, and again when the policy's frame has changed. */
export function supplyOf(session: Session, policy: FramePolicy): Result<Supply, string> {
  const known = supplies.get(session)
  if (known !== undefined && known.policy === policy) return ok(known.supply)
  return Supply.open(session, policy).map((supply) => {
    supplies.set(session, { policy, supply })
    return supply
  })
}
