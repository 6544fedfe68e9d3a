import type { ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import type { MonitorError } from './errors.js'

/**
 * One read-only persistent-memory device. The monitor maps `path` shared, so two machines that hold the
 * same file hold one copy of it in host memory.
 *
 * The file belongs to the caller, must not change or shrink while a machine maps it (the kernel answers a
 * truncated mapping with SIGBUS in every machine that has it), and its size is a multiple of 2 MiB.
 */
export interface PmemDevice {
  /**
   * What the guest will find in the trailer of the device: 1 to 128 printable ASCII characters without
   * spaces. Never a device number, which follows probing.
   */
  readonly id: string
  /** Absolute path of the file on the host; 4095 bytes at most. */
  readonly path: string
  /** Bytes; a multiple of 2 MiB, equal to the size of the file. */
  readonly sizeBytes: number
}

/**
 * One read-only disk (virtio-blk), for guests whose kernel has no persistent memory or no DAX. Every guest reads it
 * into a page cache of its own: nothing of it is shared between machines.
 *
 * The file belongs to the caller and must not change while a machine has it.
 */
export interface BlockDevice {
  /** As for a pmem device: what the guest will find in the trailer of the disk. */
  readonly id: string
  /** Absolute path of the file on the host. */
  readonly path: string
  /** Bytes; a multiple of 512, equal to the size of the file. */
  readonly sizeBytes: number
}

/**
 * A disk of the machine's own (virtio-blk), which the guest finds by its serial number. No two machines may have the
 * same file at a time.
 */
export interface VolumeDevice {
  /** 1 to 20 characters of `A-Za-z0-9._-`. */
  readonly serial: string
  /** Absolute path of the file on the host, which the machine writes into. */
  readonly path: string
  /** Bytes; a multiple of 512, equal to the size of the file. */
  readonly sizeBytes: number
  /** Whether the guest may only read; the monitor then opens the file read-only, too. */
  readonly readOnly: boolean
}

/**
 * A virtio-fs device: what its server shows can grow and shrink while the machine runs. Its server sees the whole
 * memory of the machine.
 */
export interface MachineView {
  /** By which the guest finds it: 1 to 36 characters of `A-Za-z0-9._-`. */
  readonly tag: string
  /** Absolute path of the vhost-user socket on which its server listens when the machine is started. */
  readonly socket: string
}

/**
 * The way of the machine's windows to the host: a virtio-gpu that draws nothing itself, whose cross-domain contexts
 * connect programs of the guest to a Wayland socket of the host. What they say there is theirs alone: let nobody but a
 * proxy with the machine's policy listen.
 */
export interface MachineDisplay {
  /**
   * Absolute path of the Unix socket that takes their connections, and crosvm's own; it listens when the machine is
   * started. Everything in its directory can be reached by the process of that device: keep nothing else there.
   */
  readonly socket: string
}

/** A machine in nobody's dialect: every driver translates it to its own monitor. */
export interface MachineDescription {
  /** `[a-z][a-z0-9-]{0,31}`; used in logs and for the monitor's own name, never for identity. */
  readonly name: string
  /** Absolute path of the kernel image on the host. */
  readonly kernel: string
  /** Absolute path of the initramfs on the host. */
  readonly initramfs: string
  /**
   * Added after the parameters that the driver itself needs: printable ASCII without spaces and double
   * quotes, 1800 bytes together with QEMU and crosvm (kernel document admin-guide/kernel-parameters).
   */
  readonly kernelParameters: readonly string[]
  /**
   * Bytes of guest memory: a multiple of 1 MiB (of 256 MiB on QEMU's `pseries`), at least 32 MiB, and at most
   * 512 GiB with QEMU and crosvm.
   */
  readonly memoryBytes: number
  /** Virtual processors: 1 or more, at most 64 with QEMU and crosvm. */
  readonly vcpuCount: number
  /**
   * At the start; the guest tells them apart by what is in them. With all other devices and the reserved
   * slots they are at most `capabilities.maxPmemDevices`.
   */
  readonly pmem: readonly PmemDevice[]
  /** Disks beside them; none by default. */
  readonly block?: readonly BlockDevice[] | undefined
  /** Disks that it may write; there where `capabilities.volumes` says so. None by default. */
  readonly volumes?: readonly VolumeDevice[] | undefined
  /** Absent: the machine has no virtio-fs device. */
  readonly view?: MachineView | undefined
  /** There where `capabilities.display` says so. Absent: the machine has no virtio-gpu device. */
  readonly display?: MachineDisplay | undefined
  /**
   * How many pmem devices and disks may be added while the machine runs; their ports are reserved at start. 0 or
   * more. crosvm can add none, whatever is said here.
   */
  readonly hotplugSlots: number
  /**
   * An existing directory, mode 0700, that only this machine uses for its sockets. The caller makes it and
   * removes it after the machine has ended; the driver removes each socket as soon as it is connected.
   */
  readonly directory: string
}

/**
 * A bidirectional byte stream. Whoever holds it may use it: holding the control channel of a machine is the
 * authority to command its agent.
 */
export interface ByteChannel {
  /** Bytes as they arrive; ends when the peer closes. One consumer; not reading is back-pressure. */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Resolves when the bytes are accepted below the high-water mark; rejects once the channel is closed. */
  write(bytes: Uint8Array): Promise<void>
  /** Closes both directions. Idempotent. */
  close(): void
}

/** Why a machine is no longer running. */
export type MachineExit =
  /** The guest has powered itself off. */
  | { readonly kind: 'powered-off' }
  /** By `kill` or by disposing it. */
  | { readonly kind: 'killed' }
  | {
      readonly kind: 'failed'
      /** What ended it; a guest that panics shows as `guest-reset` on a machine without a panic device. */
      readonly reason: 'guest-reset' | 'guest-panicked' | 'monitor-failed' | 'stopped-from-outside'
      /** Exit status of the monitor's main process. */
      readonly code: number
      /** The newest lines of console and monitor, oldest first; escaped, bounded by `LOG_BOUNDS`. */
      readonly lastLines: readonly string[]
    }
  /**
   * A signal that nobody here sent ended the monitor's main process: its name (`SIGSEGV`, signal(7)), and its newest
   * lines.
   */
  | {
      readonly kind: 'signalled'
      /** Name of the signal: `SIGSEGV` … (signal(7)). */
      readonly signal: string
      /** The newest lines of console and monitor, oldest first; escaped, bounded by `LOG_BOUNDS`. */
      readonly lastLines: readonly string[]
    }

/** A host process that runs (part of) a machine. Read `/proc/PID/smaps` of these to see what is mapped. */
export interface MachineProcess {
  /** In the PID namespace of the host program. */
  readonly pid: number
  /** For people: which part of the machine it runs. Escaped. */
  readonly role: string
}

/** What a machine tells while it lives. */
export type MachineEvents = {
  /** One line of the guest's kernel log or of the monitor's own output, already escaped and bounded. */
  log: (line: { readonly source: 'console' | 'monitor'; readonly text: string }) => void
  /** The machine has ended; once, and the last event. */
  exit: (exit: MachineExit) => void
}

/**
 * A running machine. Disposing it kills it and waits until its processes are gone; dispose also a machine
 * that has ended by itself, because until then unread bytes of its control channel are kept.
 */
export interface Machine extends AsyncDisposable {
  /** That of its description. */
  readonly name: string
  /** Those that run it; none for the fake. After its end they are those that it had. */
  readonly processes: readonly MachineProcess[]
  /** The byte stream to the guest's port for its agent. Belongs to the machine, which closes it. */
  readonly control: ByteChannel
  /** Lines come at a bounded rate (`LOG_BOUNDS`); `exit` comes once. */
  readonly events: TypedEmitter<MachineEvents>
  /** Resolves once, when the last process of the machine has been reaped. Never rejects. */
  readonly exit: Promise<MachineExit>
  /** The newest lines of console and monitor output, oldest first; bounded. */
  lastLines(): readonly string[]
  /** What is left of the room for devices that was reserved at the start. */
  readonly room: HotplugRoom
  /**
   * Adds a device while the machine runs. Resolves when the monitor has plugged it in; when the guest has seen it, only the guest
   * can say. One after the other. Default deadline: 10 s.
   *
   * Fails with `unsupported` where `capabilities.pmemHotplug` is false, and before anything is touched with `no-slot-left`, or with
   * `invalid-description`: no readable file of that size, an id that the machine has, more bytes than `room.pmemBytes`. Then
   * with `monitor-protocol` when the monitor declines, `timed-out` and `aborted`, after which the device may yet appear, and its
   * slot is lost.
   */
  addPmem(device: PmemDevice, options?: OperationOptions): ResultAsync<void, MonitorError>
  /** The same for a disk, with the same errors; there where `capabilities.blockHotplug` says so. */
  addBlock?(device: BlockDevice, options?: OperationOptions): ResultAsync<void, MonitorError>
  /**
   * Asks the guest to shut down, as its power button would; there where `capabilities.powerButton` says so.
   * Resolves when the button was pressed: whether the guest obeys is its own matter. Default deadline: 10 s. Fails with
   * `monitor-protocol`, `timed-out` or `aborted`.
   */
  pressPowerButton?(options?: OperationOptions): ResultAsync<void, MonitorError>
  /**
   * Holds the guest's processors still; there where `capabilities.pause` says so. Its memory and devices stay, and bytes
   * that are sent to it meanwhile wait for it, as far as the channel has room. Its clocks stand or jump, as the monitor has
   * it: whoever resumes a guest tells it the time, and has it draw new entropy. `kill` works as ever. Idempotent.
   * Default deadline: 10 s. Fails with `monitor-protocol`, also when the machine has ended, and with `timed-out` and `aborted`,
   * after which it may yet be held still.
   */
  pause?(options?: OperationOptions): ResultAsync<void, MonitorError>
  /** Lets it go on from where it stood, with the errors of `pause`. Idempotent. */
  resume?(options?: OperationOptions): ResultAsync<void, MonitorError>
  /**
   * Ends the machine at once (SIGKILL). Resolves with how it has ended when its processes are reaped. Idempotent. Default deadline:
   * 10 s. Fails with `timed-out` or `aborted` when they are killed and not reaped yet: such a process is stuck in the kernel.
   */
  kill(options?: OperationOptions): ResultAsync<MachineExit, MonitorError>
}

/** What may still be plugged into a running machine. */
export interface HotplugRoom {
  /** How many devices. */
  readonly slots: number
  /** Bytes of address space for the pmem devices among them, all together. */
  readonly pmemBytes: number
}

/** For one operation: who may give it up, and after how many milliseconds it is given up by itself. */
export interface OperationOptions {
  /** Aborting it makes the operation fail with `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds; every operation has a default. What takes longer fails with `timed-out`. */
  readonly deadlineMs?: number | undefined
}

/** What a driver can and cannot do, as data. */
export interface MonitorCapabilities {
  /** Of the guests that it runs; one description is for one of them. */
  readonly architectures: readonly GuestArchitecture[]
  /** Whether a machine can have persistent memory, whose pages all machines with the same file share. */
  readonly pmem: boolean
  /** Whether `addPmem` works. */
  readonly pmemHotplug: boolean
  /** Disks for kernels without persistent memory; nothing is shared by them. */
  readonly block: boolean
  /** Whether `addBlock` is there and works. */
  readonly blockHotplug: boolean
  /** Whether a machine can have disks that it may write. */
  readonly volumes: boolean
  /** The most pmem devices and disks one machine can hold, hot-plugged ones included. */
  readonly maxPmemDevices: number
  /** Whether a machine can have a view, so that software can be added to it without a new device. */
  readonly view: boolean
  /** Whether a machine can reach a Wayland socket through a device of its own. */
  readonly display: boolean
  /** Whether the guest can be asked from outside to shut down in order: `pressPowerButton` is there. */
  readonly powerButton: boolean
  /** Whether a machine can be held still and go on later: `pause` and `resume` are there. */
  readonly pause: boolean
}

/** Architectures of guests. */
export type GuestArchitecture = 'x86_64' | 'aarch64' | 'powerpc64le' | 'riscv64'

/** What runs the guest's instructions. Stated in every report and figure. */
export type Accelerator = 'kvm' | 'emulation' | 'none'

/** One kind of monitor, ready to start machines with the powers it was given. */
export interface Monitor {
  /** `qemu`, `crosvm`, `fake` … */
  readonly kind: string
  /** The same for all its machines. */
  readonly accelerator: Accelerator
  /** The same for all its machines. */
  readonly capabilities: MonitorCapabilities
  /**
   * Resolves when the monitor's processes run and the control channel is connected; the guest may still boot. The caller owns the
   * machine and disposes it; the files of the description stay the caller's, and have to outlive it. Default deadline: 30 s.
   *
   * On failure nothing is left, not even a process: `invalid-description`, `unsupported`, `monitor-missing`, `monitor-died` with the
   * monitor's last words, `monitor-protocol`, `timed-out`, `aborted`, or `system` where sockets cannot be made in
   * `machine.directory`.
   */
  start(machine: MachineDescription, options?: OperationOptions): ResultAsync<Machine, MonitorError>
}
