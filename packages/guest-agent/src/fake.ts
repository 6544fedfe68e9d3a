import type { ByteChannel, Clock } from './agent.js'

/** A command that runs in a fake unit. */
export interface FakeProcess {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Ends at once unless the command was started with `stdin: 'open'`. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Resolves when there is room: a stalled reader stalls the program here, as a full pipe would. */
  readonly stdout: { write(chunk: Uint8Array | string): Promise<void> }
  readonly stderr: { write(chunk: Uint8Array | string): Promise<void> }
  /** Aborts when the command is killed (signal 9, power off, channel lost). */
  readonly killed: AbortSignal
  /** The default action of a signal is to end the program; a handler for its number replaces that. */
  onSignal(number: number, handler: () => void): void
}

/** How a fake program ends: an exit code, a signal by number, or the out-of-memory killer. */
export type FakeExit = number | { readonly signal: number } | 'oom'

export type FakeProgram = (process: FakeProcess) => FakeExit | Promise<FakeExit>

/** What is inside a fake unit. */
export interface FakeUnit {
  /** By absolute path. A path below `/nix/store` is found only once its store path is mounted. */
  readonly programs?: Readonly<Record<string, FakeProgram>> | undefined
  /** Names in the root of each metadata image, by image id. An id that is not here has no entries. */
  readonly images?: Readonly<Record<string, readonly string[]>> | undefined
  /** Ids of the devices present at start; more come by `addDevice`. */
  readonly devices?: readonly string[] | undefined
  readonly bootId?: string | undefined
  readonly kernelRelease?: string | undefined
  readonly machine?: string | undefined
  /** Never says hello, as a guest that hangs while it boots. */
  readonly silent?: boolean | undefined
}

export interface FakeAgentChannel {
  /** The host's end; give it to `connectAgent`, or to a fake machine as its `control`. */
  readonly channel: ByteChannel
  /** A device is plugged in while the unit runs. */
  addDevice(id: string): void
  /** An image exists from now on (the runtime makes them while the unit runs). */
  addImage(id: string, names: readonly string[]): void
  /** Names bound into the fake `/nix/store`, sorted. */
  boundNames(): readonly string[]
  /** The unit vanishes without a word. */
  lose(): void
  /** Resolves once: the unit powered off (asked to, or because the host closed), or was lost. */
  readonly ended: Promise<'powered-off' | 'host-gone' | 'lost'>
}

export function fakeAgentChannel(_powers: { readonly clock: Clock }, _unit: FakeUnit = {}): FakeAgentChannel {
  throw new Error('fakeAgentChannel is not written yet')
}
