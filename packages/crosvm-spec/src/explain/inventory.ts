import type { CrosvmMachine } from '../machine.js'

/** How one device process is confined. */
export interface Jail {
  /** Ids of the host do not exist in it. */
  readonly userNamespace: boolean
  /** Its root directory, absolute: `pivotRoot`, or the shared directory of a file server. */
  readonly root: string
  /** Its system-call filter: crosvm's `jail/seccomp/ARCH/NAME.policy`. Absent without the sandbox. */
  readonly seccompPolicy: string | undefined
  /** What it holds beyond an empty jail, in words. */
  readonly keeps: readonly string[]
}

/** One device of a machine, where it runs and what it adds. */
export interface DeviceReport {
  /** `block 0`, `console serial 1`, `rng` … */
  readonly device: string
  /** The property of {@link CrosvmMachine} that made it, or that takes it away. */
  readonly property: string
  /** `own`: a jailed process. `main`: crosvm's main process. `other`: a process that is not crosvm's. */
  readonly process: 'own' | 'main' | 'other'
  /** How its own process is confined; undefined where it has none, or where it is not crosvm's. */
  readonly jail: Jail | undefined
  /** Files and directories of the host that it opens; absolute. */
  readonly paths: readonly string[]
  /** Sockets that it connects to or listens on; absolute. */
  readonly sockets: readonly string[]
  /** Virtqueues that the guest writes descriptors into; 0 for other kinds of devices. */
  readonly queues: number
  /** What code of the host interprets that the guest chose. */
  readonly parses: string
  /** The guest gets it although nobody asked for it. */
  readonly byDefault: boolean
}

export interface Sketch {
  readonly policy?: string
  readonly process?: DeviceReport['process']
  readonly root?: string
  readonly keeps?: readonly string[]
  readonly paths?: readonly (string | undefined)[]
  readonly sockets?: readonly (string | undefined)[]
  readonly queues?: number
  readonly byDefault?: boolean
  /** It forks and pivots its root even without the sandbox, but then has no user namespace and no filter. */
  readonly alwaysForks?: boolean
}

export class Inventory {
  readonly devices: DeviceReport[] = []
  readonly #machine: CrosvmMachine

  constructor(machine: CrosvmMachine) {
    this.#machine = machine
  }

  add(device: string, property: string, parses: string, sketch: Sketch): void {
    const { sandbox } = this.#machine
    const jailed = sandbox?.kind !== 'disabled'
    const own = sketch.policy !== undefined && (jailed || sketch.alwaysForks === true)
    const root = sketch.root ?? (sandbox?.kind === 'jailed' ? sandbox.pivotRoot : undefined) ?? '/var/empty'
    this.devices.push({
      device,
      property,
      process: sketch.process ?? (own ? 'own' : 'main'),
      jail: own
        ? {
            userNamespace: jailed,
            root,
            seccompPolicy: jailed ? sketch.policy : undefined,
            keeps: sketch.keeps ?? [],
          }
        : undefined,
      paths: (sketch.paths ?? []).filter((path) => path !== undefined),
      sockets: (sketch.sockets ?? []).filter((path) => path !== undefined),
      queues: sketch.queues ?? 0,
      parses,
      byDefault: sketch.byDefault ?? false,
    })
  }
}
