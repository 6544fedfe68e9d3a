/**
 * A unit in memory that speaks the real protocol, for tests.
 *
 * @packageDocumentation
 */

import type { ByteChannel, Clock, GuestUser } from './agent.js'
import { FakeAgent } from './fake-agent.js'
import type { FakeFiles, FakeVolume } from './fake-files.js'
import type { FakeTerminal } from './fake-terminal.js'

export type { FakeEntry, FakeErrno, FakeFileFailure, FakeFiles, FakeVolume } from './fake-files.js'
export type { FakeTerminal } from './fake-terminal.js'

/** A command that runs in a fake unit. */
export interface FakeProcess {
  /** As it was started: the program's path first. */
  readonly argv: readonly string[]
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>
  /** Absolute path. */
  readonly cwd: string
  /** Ends at once unless the command was started with `stdin: 'open'`. Leaving its loop closes it. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Resolves when there is room: a stalled reader stalls the program here. Rejects once it was killed. */
  readonly stdout: FakeOutput
  /** As `stdout`. */
  readonly stderr: FakeOutput
  /** Connects to a service of the unit, `/run/spectrum/services/NAME`. Throws when nothing listens there. */
  connect(path: string): FakeSocket
  /** Listens on a path, for as long as the unit lives. */
  listen(path: string, listener: FakeListener): void
  /** Undefined without one. */
  readonly terminal: FakeTerminal | undefined
  /** Root by default. */
  readonly user: GuestUser
  /** The unit's files; those of programs and of the store are not among them. */
  readonly files: FakeFiles
  /** Aborts when the command has ended for the unit: killed, powered off, host gone. */
  readonly killed: AbortSignal
  /** The default action of a signal is to end the program; a handler for its number replaces that. */
  onSignal(number: number, handler: () => void): void
}

/** A connected Unix stream socket, as a program has it. */
export interface FakeSocket {
  /** Ends when the other side has ended it, and when the connection is gone. */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Resolves when there is room. Rejects with EPIPE when the other side takes no more. */
  write(chunk: Uint8Array | string): Promise<void>
  /** Shuts this side for writing. */
  end(): void
  /** Closes the program's end. */
  close(): void
}

/** What a program that listens does with one connection. It is closed when this is done. */
export type FakeListener = (socket: FakeSocket) => void | Promise<void>

/** An output stream of a fake program. */
export interface FakeOutput {
  /** Resolves once the host has granted the credit for it, as a real pipe would block. */
  write(chunk: Uint8Array | string): Promise<void>
}

/** How a fake program ends: an exit code, a signal by number, or the out-of-memory killer. */
export type FakeExit =
  | number
  | {
      /** By Linux's number (signal(7)). */
      readonly signal: number
    }
  | 'oom'

/** A program of a fake unit. One that throws ends by SIGABRT. */
export type FakeProgram = (process: FakeProcess) => FakeExit | Promise<FakeExit>

/** What is inside a fake unit. */
export interface FakeUnit {
  /** By absolute path. A path below `/nix/store` is found only once its store path is mounted. */
  readonly programs?: Readonly<Record<string, FakeProgram>> | undefined
  /** Names in the root of each metadata image, by image id. An id that is not here has no entries. */
  readonly images?: Readonly<Record<string, readonly string[]>> | undefined
  /** Ids of the devices present at start; more come by `addDevice`. */
  readonly devices?: readonly string[] | undefined
  /** What the hello says of `/proc/sys/kernel/random/boot_id`. */
  readonly bootId?: string | undefined
  /** What the hello says of `uname -r`. */
  readonly kernelRelease?: string | undefined
  /** What the hello says of `uname -m`. */
  readonly machine?: string | undefined
  /** Tag of a virtio-fs device. What its server shows, `showInView` and `hideFromView` say. */
  readonly view?: string | undefined
  /**
   * What becomes of a request about the store: `refused` fails it and changes nothing. A promise: it is done at once,
   * and answered when that resolves, whether it was cancelled or not. Served by default.
   */
  readonly onStoreRequest?: ((type: FakeStoreRequest) => 'served' | 'refused' | Promise<void>) | undefined
  /** Paths on which programs of the unit listen from the start. */
  readonly sockets?: Readonly<Record<string, FakeListener>> | undefined
  /** Devices are disks, not persistent memory: nothing is mapped directly. */
  readonly disks?: boolean | undefined
  /** Disks with a file system on them, by serial number; more come by `addVolume`. */
  readonly volumes?: Readonly<Record<string, FakeVolume>> | undefined
  /** What its clock says when it starts; 2026-01-01 by default. */
  readonly epochMs?: number | undefined
  /** Never says hello, as a guest that hangs while it boots. */
  readonly silent?: boolean | undefined
  /** A feature of the kernel that is absent: `erofs`, `virtio_pmem`, `dax`. Mounts fail with it. */
  readonly lacks?: string | undefined
  /** Protocol versions that the agent offers; this package's by default. */
  readonly versions?:
    | {
        /** The lowest. */
        readonly min: number
        /** The highest. */
        readonly max: number
      }
    | undefined
}

/** Requests about the store that a fake unit can be told to fail or delay. */
export type FakeStoreRequest = 'mount' | 'mount-view' | 'unbind'

/** A unit in memory that speaks the real protocol. */
export interface FakeAgentChannel {
  /** The host's end; give it to `connectAgent`, or to a fake machine as its `control`. */
  readonly channel: ByteChannel
  /** A device is plugged in while the unit runs. */
  addDevice(id: string): void
  /** An image exists from now on (hosts make them while units run). */
  addImage(id: string, names: readonly string[]): void
  /**
   * The view's server shows these names from now on, or no longer. As with a real one, what was bound of a name that
   * was hidden is stale for ever, also when the name is shown again.
   */
  showInView(names: readonly string[]): void
  /** The view's server shows these names no more. */
  hideFromView(names: readonly string[]): void
  /** Names bound into the fake `/nix/store`, sorted; stale ones are there too. */
  boundNames(): readonly string[]
  /** A disk is plugged in while the unit runs. */
  addVolume(serial: string, volume: FakeVolume): void
  /** What the unit's clock says. */
  epochMs(): number
  /** How many bytes of entropy it was given. */
  entropyBytes(): number
  /** From now on it neither hears nor says anything, as a machine that is paused. */
  freeze(): void
  /** It hears what was said meanwhile. */
  thaw(): void
  /** The unit vanishes without a word. */
  lose(): void
  /** Resolves once, with why the unit ended. `protocol-violation`: the host's, as the real agent sees it. */
  readonly ended: Promise<FakeEnd>
}

/** How a fake unit has ended. */
export type FakeEnd = 'powered-off' | 'host-gone' | 'lost' | 'protocol-violation'

/**
 * A unit in memory that speaks the real protocol, for tests of whatever is above: no process, no kernel,
 * milliseconds. The same conformance checks pass against it and against the real agent.
 *
 * @example
 * ```ts
 * import { type Clock, connectAgent } from '@spectrum/guest-agent'
 * import { fakeAgentChannel } from '@spectrum/guest-agent/fake'
 *
 * export async function connectToFake(clock: Clock) {
 *   const unit = fakeAgentChannel({ clock }, { programs: { '/bin/true': async () => 0 } })
 *   return await connectAgent(unit.channel, { clock })
 * }
 * ```
 */
export function fakeAgentChannel(powers: { readonly clock: Clock }, unit: FakeUnit = {}): FakeAgentChannel {
  return new FakeAgent(powers.clock, unit)
}
