import type { ProtocolObject } from '../objects/protocol-object.js'
import type { RelayedMessage } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import type { Size } from './surface.js'

/** wl_output: its version that can be released, the flag of the mode that it has now, and when it lies on its side. */
const MOST_VERSION = 3
const CURRENT = 1
const ON_ITS_SIDE = 1

interface Monitor {
  readonly object: ProtocolObject
  mode: Size | undefined
  scale: number
  turned: boolean
}

/** The monitors as the compositor tells this client's connection: for what must leave something of them free. */
export class Screens {
  readonly #session: Session
  readonly #monitors = new Map<number, Monitor>()

  constructor(session: Session) {
    this.#session = session
    this.look()
  }

  /** Finds out which monitors there are now. What they are like is told later. */
  look(): void {
    const session = this.#session
    const offered = session.globals.upstream('wl_output')
    for (const [name, { object }] of this.#monitors) {
      if (offered.some((one) => one.name === name)) continue
      this.#monitors.delete(name)
      if (object.version >= MOST_VERSION) session.request(object, 'release', [])
    }
    for (const { name, version } of offered) {
      if (this.#monitors.has(name)) continue
      const type = session.unit.interfaceNamed('wl_output')
      const object = session.createOwn(type, Math.min(version, MOST_VERSION), (told) => hear(monitor, told))
      const monitor: Monitor = { object, mode: undefined, scale: 1, turned: false }
      this.#monitors.set(name, monitor)
      session.globals.bindOwn(name, object)
    }
  }

  /** The greatest width and height of any, in what clients count with; undefined while none is known. */
  get largest(): Size | undefined {
    let largest: Size | undefined
    for (const { mode, scale, turned } of this.#monitors.values()) {
      if (mode === undefined) continue
      const [across, down] = turned ? [mode.height, mode.width] : [mode.width, mode.height]
      const width = Math.max(largest?.width ?? 0, across / scale)
      largest = { width, height: Math.max(largest?.height ?? 0, down / scale) }
    }
    return largest
  }
}

function hear(monitor: Monitor, told: RelayedMessage): void {
  const { name } = told.message
  if (name === 'geometry') monitor.turned = (told.number(7) & ON_ITS_SIDE) !== 0
  else if (name === 'scale') monitor.scale = Math.max(1, told.number(0))
  else if (name === 'mode' && (told.number(0) & CURRENT) !== 0) {
    monitor.mode = { width: told.number(1), height: told.number(2) }
  }
}

const screens = new WeakMap<Session, Screens>()

/** Those of a client, looked at from its first popup on. */
export function screensOf(session: Session): Screens {
  const known = screens.get(session)
  if (known !== undefined) return known
  const made = new Screens(session)
  screens.set(session, made)
  return made
}
