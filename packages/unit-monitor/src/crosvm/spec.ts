import { type CrosvmMachine, type CrosvmSpec, crosvmSpec, type Help, printArgv } from '@spectrum/crosvm-spec'
import { err, ok, type Result } from 'neverthrow'
import { crosvmAttachPlan, MOST_CROSVM_DEVICES } from '../attach/crosvm.js'
import { checkDescription, type DescriptionLimits, type InvalidDescription, invalid } from '../description.js'
import type { MachineDescription, MachineDisplay } from '../machine.js'
import { escapeAndCut } from '../printable.js'

/**
 * Absolute paths of Unix sockets. On `console` and `control` the host listens, and crosvm connects. The
 * others are crosvm's own.
 */
export interface CrosvmSockets {
  /** A stream of the guest's serial port (`--serial type=unix-stream`). */
  readonly console: string
  /** A stream of the guest's virtio console port named `control`. */
  readonly control: string
  /** Between the machine and the process that implements its control port (`crosvm device console`). */
  readonly port: string
  /** On which crosvm is controlled (`--socket`). */
  readonly vm: string
}

/** What a machine description does not say and crosvm has to know. */
export interface CrosvmLaunch {
  /** Where its channels are. */
  readonly sockets: CrosvmSockets
  /**
   * Absolute path of the empty directory that the jails have for a root. Default `/var/empty`, crosvm's own.
   */
  readonly pivotRoot?: string | undefined
  /**
   * A virtio-rng for guests whose processor has no random number instruction, at the cost of a process. False
   * by default.
   */
  readonly rng?: boolean | undefined
}

const MIB = 1024 * 1024
const GIB = 1024 * MIB

/** The file names of the sockets in the directory of a description. */
export const SOCKET_NAMES = {
  console: 'console.sock',
  control: 'control.sock',
  port: 'port.sock',
  vm: 'vm.sock',
} as const

/** How much a machine may have under crosvm. */
export const CROSVM_LIMITS: DescriptionLimits = {
  maxVcpus: 64,
  maxMemoryBytes: 512 * GIB,
  maxPmemDevices: MOST_CROSVM_DEVICES,
  // The kernel keeps 2047 bytes (COMMAND_LINE_SIZE on x86); the driver's own and crosvm's take less than 240.
  maxKernelParameterBytes: 1800,
  socketNameBytes: '/console.sock'.length,
}

/**
 * In front of the caller's parameters, so that the caller's win. crosvm adds `panic=-1` and the console itself.
 * As on other monitors the console is quiet, and still heard from the first instructions on.
 */
const KERNEL_PARAMETERS = ['quiet', 'loglevel=4', 'earlyprintk=ttyS0'] as const

/** The machine tries for so long to meet the process of its control port, which is started at the same time. */
const PORT_CONNECT_MS = 30_000

/** Linux fills a port's queues with pages: crosvm's own 32,768 entries would take 256 MiB of the guest. */
const PORT_QUEUE_SIZE = 128

/** crosvm keeps 15 bytes of a name. */
const LONGEST_NAME = 15

/**
 * The machine for crosvm, with nothing that a unit does not need: no balloon, no USB, no network, no clock chip,
 * no hypervisor within, and a GPU only where its windows are to be shown. The keyboard controller stays, because a reboot goes through it: without it a panic would
 * become a triple fault, which crosvm reports like a shutdown.
 *
 * Pure. `help`: what the binary can be told; without it nothing is said that crosvm has learned only lately.
 */
export function crosvmMachineSpec(
  machine: MachineDescription,
  launch: CrosvmLaunch,
  help?: Help,
): Result<CrosvmSpec, InvalidDescription> {
  const checked = checkDescription(machine, CROSVM_LIMITS)
  if (checked.isErr()) return err(checked.error)
  const { sockets, pivotRoot } = launch
  // Slots that can never be filled cost nothing and are no fault: `addPmem` says that they cannot.
  const plan = crosvmAttachPlan({ ...machine, hotplugSlots: 0 })
  if (plan.isErr()) return err(invalid('pmem', plan.error.message))
  const store = plan.value.machine
  const described: CrosvmMachine = {
    architecture: 'x86_64',
    boot: { kind: 'kernel', path: machine.kernel },
    initrd: machine.initramfs,
    params: [...KERNEL_PARAMETERS, ...machine.kernelParameters],
    name: machine.name.slice(0, LONGEST_NAME),
    memoryMib: machine.memoryBytes / MIB,
    cpus: { count: machine.vcpuCount },
    serial: [{ type: 'unix-stream', hardware: 'serial', num: 1, path: sockets.console, console: true }],
    vhostUser: [
      { type: 'console', socket: sockets.port, maxQueueSize: PORT_QUEUE_SIZE },
      ...(store.vhostUser ?? []),
    ],
    vhostUserConnectTimeoutMs: PORT_CONNECT_MS,
    pmem: store.pmem,
    block: store.block,
    ...wayToCompositor(machine.display),
    socket: sockets.vm,
    balloon: { kind: 'absent' },
    usb: false,
    rng: launch.rng === true ? undefined : false,
    rtc: false,
    nested: help?.options.has('nested') ? 'off' : undefined,
    sandbox: pivotRoot === undefined ? undefined : { kind: 'jailed', pivotRoot },
    logging: LOGGING,
  }
  return crosvmSpec(described).match(
    (spec) => ok(spec),
    ([first]) =>
      err(invalid(fieldOf(first), escapeAndCut(first?.message ?? 'crosvm cannot be told it', 400))),
  )
}

/**
 * The arguments for the process that implements the machine's control port.
 *
 * It is a process because a console of the machine itself has no name and no second port: crosvm (f1e797a) makes
 * it without VIRTIO_CONSOLE_F_MULTIPORT, whatever its `name` says, and Linux then offers a terminal only.
 */
export function controlPortArguments(sockets: CrosvmSockets): readonly string[] {
  const port: CrosvmMachine = {
    architecture: 'x86_64',
    boot: { kind: 'kernel', path: '/' },
    logging: LOGGING,
    serial: [
      {
        type: 'unix-stream',
        hardware: 'virtio-console',
        name: 'control',
        path: sockets.control,
        inputUnixStream: true,
      },
    ],
  }
  // `device console --port` reads what `run --serial` reads (crosvm's SerialParameters), so that is printed.
  const printed = printArgv(crosvmSpec(port)._unsafeUnwrap())
  const before = printed.slice(0, printed.indexOf('run'))
  const option = printed.find((argument) => argument.startsWith(SERIAL))?.slice(SERIAL.length) ?? ''
  return [...before, 'device', 'console', `--socket-path=${sockets.port}`, `--port=${option}`]
}

/**
 * The guest's own drawing ends in memory: what crosvm could show of its screen takes a compositor with
 * `zwp_linux_dmabuf_v1`, and goes through the same socket. Without a limit it had 16 screens.
 */
function wayToCompositor(
  display: MachineDisplay | undefined,
): Pick<CrosvmMachine, 'gpu' | 'waylandSockets'> | undefined {
  if (display === undefined) return undefined
  return {
    gpu: { backend: '2d', contextTypes: ['cross-domain'], maxNumDisplays: 1 },
    // Only one without a name is reached by cross-domain contexts.
    waylandSockets: [{ path: display.socket }],
  }
}

const SERIAL = '--serial='
const LOGGING = { level: 'warn', syslog: false } as const

function fieldOf(error: { readonly kind: string } | undefined): string {
  return error !== undefined && 'property' in error ? String(error.property) : 'machine'
}
