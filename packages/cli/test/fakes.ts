import type { Clock, CommandPowers, DoctorPowers, Failure, Sink, StartedUnit } from '@spectrum/cli'
import type { ExecOutcome, GuestProcess } from '@spectrum/unit-runtime'
import { errAsync, okAsync, type ResultAsync } from 'neverthrow'

/** Keeps what was written; `breakAfter` bytes it fails as a pipe does whose reader has gone. */
export class KeptSink implements Sink {
  readonly chunks: Buffer[] = []
  breakAfter = Number.POSITIVE_INFINITY
  /** Each write waits for this, as for a reader that stalls. */
  gate: Promise<void> = Promise.resolve()

  constructor(readonly isTerminal = false) {}

  async write(bytes: Uint8Array | string): Promise<void> {
    await this.gate
    if (this.bytes.length >= this.breakAfter) throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    this.chunks.push(Buffer.from(bytes))
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }
}

/** A clock that stands until it is told to move. */
export class HeldClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ at: number; controller: AbortController }>()

  now(): number {
    return this.#now
  }

  deadline(ms: number): ReturnType<Clock['deadline']> {
    const timer = { at: this.#now + ms, controller: new AbortController() }
    this.#timers.add(timer)
    return { signal: timer.controller.signal, [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }

  get pending(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    this.#now += ms
    for (const timer of this.#timers) if (timer.at <= this.#now) timer.controller.abort()
  }
}

export interface ScriptedCommand {
  readonly stdout?: AsyncIterable<Uint8Array> | readonly (string | Uint8Array)[]
  readonly stderr?: readonly string[]
  /** Absent: it runs until it is cancelled. */
  readonly outcome?: ExecOutcome
  /** Ignores being cancelled. */
  readonly stubborn?: boolean
}

/** A host with one unit whose command follows a script; records what it was asked. */
export class ScriptedHost {
  readonly asked: {
    closure?: readonly string[]
    memoryBytes?: number | undefined
    argv?: readonly string[]
    env?: unknown
  } = {}
  stopped = 0
  readonly stdin: Buffer[] = []
  stdinEnded = false
  openFailure: Failure | undefined
  startFailure: Failure | undefined
  spawnFailure: Failure | undefined
  stopFailure: Failure | undefined
  /** Called when the host is asked to open. */
  onOpen: () => void = () => {}

  constructor(readonly command: ScriptedCommand = { outcome: { kind: 'exited', code: 0 } }) {}

  readonly open: CommandPowers['openHost'] = ({ onStep }) => {
    this.onOpen()
    onStep('choosing a monitor')
    if (this.openFailure !== undefined) return errAsync(this.openFailure)
    return okAsync({
      monitor: { kind: 'fake', accelerator: 'none', why: 'it is a test' },
      startUnit: ({ closure, memoryBytes }) => {
        Object.assign(this.asked, { closure, memoryBytes })
        return this.startFailure === undefined ? okAsync(this.#unit()) : errAsync(this.startFailure)
      },
      stop: () => {
        this.stopped++
        return this.stopFailure === undefined ? okAsync(undefined) : errAsync(this.stopFailure)
      },
    })
  }

  #unit(): StartedUnit {
    return {
      spawn: (argv, { env, stdin, signal }): ResultAsync<GuestProcess, Failure> => {
        Object.assign(this.asked, { argv, env })
        if (this.spawnFailure !== undefined) return errAsync(this.spawnFailure)
        const { command } = this
        const outcome =
          command.outcome !== undefined
            ? Promise.resolve(command.outcome)
            : new Promise<ExecOutcome>((resolve) => {
                if (command.stubborn === true) return
                signal.addEventListener('abort', () => resolve({ kind: 'cancelled' }))
              })
        return okAsync({
          id: 1,
          stdin:
            stdin === 'open'
              ? {
                  write: async (bytes: Uint8Array) => void this.stdin.push(Buffer.from(bytes)),
                  end: async () => {
                    this.stdinEnded = true
                  },
                }
              : undefined,
          stdout: iterate(command.stdout ?? []),
          stderr: iterate(command.stderr ?? []),
          outcome,
          signal: () => okAsync(undefined),
          resize: () => okAsync(undefined),
          hangUp: () => okAsync(undefined),
        })
      },
    }
  }
}

async function* iterate(
  chunks: AsyncIterable<Uint8Array> | readonly (string | Uint8Array)[],
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
}

/** A machine on which everything is well, but for KVM. */
export const soundMachine = (over: Partial<DoctorPowers> = {}): DoctorPowers => ({
  nodeVersion: '20.19.0',
  architecture: 'x86_64',
  read: async (path) =>
    ({
      '/k/modules/6.1/modules.dep': [
        'kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko',
        'kernel/drivers/char/virtio_console.ko:',
        'kernel/drivers/nvdimm/virtio_pmem.ko: kernel/drivers/nvdimm/nd_virtio.ko',
        'kernel/drivers/nvdimm/nd_pmem.ko.xz:',
      ].join('\n'),
      '/k/modules/6.1/modules.builtin': 'kernel/fs/erofs/erofs.ko\n',
      '/proc/meminfo': 'MemTotal: 8000000 kB\nMemAvailable:    4194304 kB\n',
    })[path],
  exists: async () => true,
  firstLine: async (program) =>
    ({
      'qemu-system-x86_64': 'QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7)',
      'qemu-system-aarch64': 'QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7)',
      'qemu-system-ppc64': 'QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7)',
      'nix-store': 'nix-store (Nix) 2.8.0',
      'fsck.erofs': 'fsck.erofs 1.5',
    })[program],
  foreignParts: async (architecture) => ({
    kernel: { kind: 'there', what: `6.1-${architecture}` },
    agent: { kind: 'there', what: `/agents/${architecture}` },
  }),
  groupsRoot: async () => ({ kind: 'ready', path: '/sys/fs/cgroup', unlimited: '/sys/fs/cgroup' }),
  freeBytes: async () => 8 * 1024 ** 3,
  kvm: async () => ({ kind: 'absent', message: 'there is no /dev/kvm' }),
  boot: async () => ({ kind: 'boots', monitor: 'qemu', accelerator: 'emulation', why: 'it answered' }),
  places: { kernel: '/k/vmlinuz', modules: '/k/modules/6.1', cache: '/c', state: '/s' },
  ...over,
})

export function powersWith(over: Partial<CommandPowers> & { host?: ScriptedHost } = {}): {
  powers: CommandPowers
  interrupt: (name: string) => void
  host: ScriptedHost
} {
  const { host = new ScriptedHost(), ...rest } = over
  const interruption = new AbortController()
  const hurry = new AbortController()
  const powers = {
    stdout: new KeptSink(),
    stderr: new KeptSink(),
    openStdin: () => iterate([]),
    clock: new HeldClock(),
    openHost: host.open,
    doctor: soundMachine(),
    readGraph: async () => ({ kind: 'unreadable', message: 'no file' }) as const,
    timeOfDay: () => 0,
    openGraphHost: () => errAsync({ kind: 'none', message: 'this test opens no host' }),
    hosts: {
      find: async () => [],
      socketOf: async (path: string) => path,
      connect: () => errAsync({ kind: 'none', message: 'this test has no host' }),
    },
    collect: () => errAsync({ kind: 'none', message: 'this test has no cache' }),
    fetchKernel: () => errAsync({ kind: 'none', message: 'this test has no kernels' }),
    terminal: undefined,
    interrupted: interruption.signal,
    hurried: hurry.signal,
    version: '9.8.7',
    ...rest,
  }
  const interrupt = (name: string) => (interruption.signal.aborted ? hurry : interruption).abort(name)
  return { powers: powers as CommandPowers, interrupt, host }
}
