/**
 * Everything that can go wrong between a machine description and a running machine. `message` names the machine, says what to
 * do, and is safe to print: what monitors and guests said is escaped in it.
 */
export type MonitorError =
  /** A field of the description, or of a device that is added, is none. Nothing was started. `field`: its name. */
  | {
      readonly kind: 'invalid-description'
      readonly message: string
      /** Name of the field: `memoryBytes` … */
      readonly field: string
    }
  /** The monitor's program is not there, may not be executed, or is another one. `binary`: what was tried. */
  | {
      readonly kind: 'monitor-missing'
      readonly message: string
      /** What was tried: a name for the search path, or an absolute path. */
      readonly binary: string
    }
  /** This driver, or the monitor on this host, cannot do it, whatever is tried again. `capability`: what is wanted. */
  | {
      readonly kind: 'unsupported'
      readonly message: string
      /** What is wanted, in words or as a name of `MonitorCapabilities`. */
      readonly capability: string
    }
  /**
   * The monitor ended before the machine could be handed out. `status`: how, in words. `lastLines`: the
   * newest of what it and the guest said, oldest first, escaped. Nothing of it is left.
   */
  | {
      readonly kind: 'monitor-died'
      readonly message: string
      /** How it ended, in words. */
      readonly status: string
      /** Newest lines of console and monitor, oldest first; escaped and bounded. */
      readonly lastLines: readonly string[]
    }
  /** The monitor declined what it was told, or spoke what is none of its protocol. The machine may still run. */
  | {
      readonly kind: 'monitor-protocol'
      readonly message: string
      /** What the monitor sent, or what was thrown. */
      readonly cause?: unknown
    }
  /** All `slots` that were reserved when the machine was started are in use. Nothing was touched. */
  | {
      readonly kind: 'no-slot-left'
      readonly message: string
      /** How many were reserved. */
      readonly slots: number
    }
  /**
   * The deadline has passed. A start leaves nothing; a device that was being added may yet appear.
   * `lastLines` as for `monitor-died`; empty where no machine was started.
   */
  | {
      readonly kind: 'timed-out'
      readonly message: string
      /** Newest lines of console and monitor, oldest first; escaped and bounded. */
      readonly lastLines: readonly string[]
    }
  /** The caller's signal has aborted, with what holds for `timed-out`. */
  | { readonly kind: 'aborted'; readonly message: string }
  /**
   * This host: its sockets, files or processes. `code`: the system's name of the error (errno(3)),
   * `EADDRINUSE` …; `cause`: what was thrown.
   */
  | {
      readonly kind: 'system'
      readonly message: string
      /** The system's name of the error (errno(3)). */
      readonly code?: string
      /** What was thrown. */
      readonly cause?: unknown
    }
