import type { Processes } from '@spectrum/unit-monitor'
import type { ResultAsync } from 'neverthrow'

/** Why a volume cannot be used; nothing of it is held then. */
export interface VolumeFailure {
  readonly reason: /** Another machine has it, of this host or of another one. */
    | 'in-use'
    /** It is larger than its definition: volumes never shrink. */
    | 'would-shrink'
    /** Its file system is damaged beyond what can be mended without asking. */
    | 'damaged'
    /** The programs that make and grow file systems are not there. */
    | 'no-tools'
    /** The monitor of this host gives machines no disks that they may write. */
    | 'unsupported'
    | 'aborted'
    | 'timed-out'
    | 'system'
  /** In words, with what to do about it. */
  readonly message: string
}

/** What a volume is to be. */
export interface VolumeRequest {
  /** Absolute path of its file on the host. */
  readonly path: string
  /** Bytes that it is to have; it grows to that, and never shrinks. */
  readonly sizeBytes: number
  /** Absolute path, on the same file system and journalled: what is not finished yet is there and goes with the host. */
  readonly unfinished: string
  /** Absolute path, short enough for a socket: whoever holds it has the volume. Gone, or free, when its holder dies. */
  readonly lock: string
  /** Starts the programs that make and grow file systems, with the host's journal around them. */
  readonly processes: Processes
  /** Gives it up, as `aborted`. */
  readonly signal: AbortSignal
}

/** A volume that nobody else has. Disposing it gives it back. */
export interface OpenVolume extends AsyncDisposable {
  /** Absolute path of its file on the host. */
  readonly path: string
  /** Bytes of its file. */
  readonly sizeBytes: number
}

/** Makes the volume when there is none, lets it grow to its size, and holds it. */
export type VolumePower = (request: VolumeRequest) => ResultAsync<OpenVolume, VolumeFailure>
