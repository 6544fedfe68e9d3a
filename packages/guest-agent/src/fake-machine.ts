import type { Clock } from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { FakeUnit } from './fake.js'
import type { FakeCommand } from './fake-command.js'
import { errnos, type FakeFiles, type FakeVolume } from './fake-files.js'
import { codes, type Frame, limits, type UnitFrame } from './frames.js'
import { mayBeMountedOn } from './requests.js'

const errno = { timedOut: 110, cancelled: 125, notSupported: 95, noRoom: 28 } as const
const sigterm = 15
/** 2026-01-01. */
const defaultEpochMs = 1_767_225_600_000

type MachineFrame = Frame<'mount-volume' | 'mount-cancel' | 'set-clock' | 'add-entropy' | 'shut-down'>

interface Waiting {
  readonly frame: Frame<'mount-volume'>
  readonly deadline: Disposable & { readonly signal: AbortSignal }
}

/** A fake unit as a machine: its volumes, its clock, its randomness, its end. */
export class FakeMachine {
  readonly #clock: Clock
  readonly #unit: FakeUnit
  readonly #files: FakeFiles
  readonly #send: (frame: UnitFrame) => void
  readonly #volumes: Map<string, FakeVolume>
  #mounted = 0
  #waiting: Waiting | undefined
  #aheadMs: number
  #entropyBytes = 0
  #shuttingDown = false

  constructor(clock: Clock, unit: FakeUnit, files: FakeFiles, send: (frame: UnitFrame) => void) {
    this.#clock = clock
    this.#unit = unit
    this.#files = files
    this.#send = send
    this.#volumes = new Map(Object.entries(unit.volumes ?? {}))
    this.#aheadMs = (unit.epochMs ?? defaultEpochMs) - clock.now()
  }

  get shuttingDown(): boolean {
    return this.#shuttingDown
  }

  epochMs(): number {
    return this.#clock.now() + this.#aheadMs
  }

  entropyBytes(): number {
    return this.#entropyBytes
  }

  addVolume(serial: string, volume: FakeVolume): void {
    this.#volumes.set(serial, volume)
    this.#try()
  }

  receive(frame: Exclude<MachineFrame, { type: 'shut-down' }>): void {
    switch (frame.type) {
      case 'mount-volume':
        this.#mount(frame)
        return
      case 'mount-cancel':
        if (this.#waiting?.frame.request === frame.request) {
          this.#fail(codes.failed.cancelled, errno.cancelled, '', 'cancelled by the host')
        }
        return
      case 'set-clock': {
        const before = Math.round(this.epochMs() * 1_000)
        const { microseconds, request } = frame
        if (microseconds < limits.clockFromMicroseconds || microseconds > limits.clockToMicroseconds) {
          throw new ProtocolViolation('set-clock: out of range')
        }
        this.#aheadMs = microseconds / 1_000 - this.#clock.now()
        this.#send({ type: 'clock-set', request, before })
        return
      }
      case 'add-entropy':
        if (frame.bytes.length < limits.entropyFromBytes) throw new ProtocolViolation('add-entropy: too few')
        this.#entropyBytes += frame.bytes.length
        this.#send({ type: 'done', request: frame.request })
    }
  }

  /** Ends in order, telling each step. `isOver` stops it: the unit has ended otherwise. */
  async shutDown(
    { request, graceMs, deadlineMs }: Frame<'shut-down'>,
    commands: ReadonlyMap<number, FakeCommand>,
    isOver: () => boolean,
  ): Promise<void> {
    const inRange =
      graceMs <= limits.shutdownGraceMs && deadlineMs >= graceMs && deadlineMs <= limits.shutdownDeadlineMs
    if (this.#shuttingDown || !inRange) throw new ProtocolViolation('shut-down: again, or out of range')
    this.#shuttingDown = true
    const step = (name: keyof typeof codes.shutdownStep, count: number, left: number) =>
      this.#send({ type: 'shutdown-step', request, step: codes.shutdownStep[name], count, left })
    const all = [...commands.values()]
    for (const command of all) command.askToEnd(sigterm)
    using grace = this.#clock.deadline(graceMs)
    using whole = this.#clock.deadline(deadlineMs)
    const late = new Promise<void>((resolve) => {
      grace.signal.addEventListener('abort', () => resolve(), { once: true })
      if (graceMs === 0) resolve()
    })
    await Promise.race([Promise.all(all.map((command) => command.gone)), late])
    if (isOver()) return
    const left = commands.size
    step('asked', all.length, left)
    for (const command of [...commands.values()]) command.kill()
    step('killed', left, 0)
    const { count, left: mounted, hanging } = this.#files.unmountAll()
    if (hanging > 0) await until(whole.signal)
    if (isOver()) return
    step('unmounted', count, mounted)
    step('synced', 0, hanging > 0 ? 1 : 0)
    this.#send({ type: 'powering-off', request })
  }

  dispose(): void {
    this.#waiting?.deadline[Symbol.dispose]()
    this.#waiting = undefined
  }

  #mount(frame: Frame<'mount-volume'>): void {
    if (this.#waiting !== undefined) throw new ProtocolViolation('mount-volume: while another is under way')
    if (frame.readOnly > 1 || frame.fileSystem !== 'ext4' || !mayBeMountedOn(frame.path)) {
      throw new ProtocolViolation('mount-volume: out of range')
    }
    const deadline = this.#clock.deadline(frame.deadlineMs)
    this.#waiting = { frame, deadline }
    deadline.signal.addEventListener('abort', () => {
      const message = `no disk with the serial number ${frame.serial} appeared in time: attach it before asking, or wait longer`
      if (this.#waiting?.frame === frame) this.#fail(codes.failed['timed-out'], errno.timedOut, '', message)
    })
    this.#try()
  }

  #try(): void {
    const frame = this.#waiting?.frame
    if (frame === undefined) return
    const { lacks } = this.#unit
    const volume = this.#volumes.get(frame.serial)
    if (lacks === 'virtio_blk' || (lacks === 'ext4' && volume !== undefined)) {
      this.#fail(codes.failed['kernel-lacks'], errno.notSupported, lacks, `the guest kernel lacks ${lacks}`)
      return
    }
    if (volume === undefined) return
    if (this.#mounted === limits.volumes) {
      this.#fail(codes.failed.refused, errno.noRoom, '', 'the unit has as many volumes as it may')
      return
    }
    const failure = this.#files.mount(frame.path, volume, frame.readOnly === 1)
    if (failure !== undefined) {
      this.#fail(
        codes.failed.refused,
        errnos[failure],
        '',
        `the volume ${frame.serial} cannot be mounted: ${failure}`,
      )
      return
    }
    this.#mounted++
    this.dispose()
    this.#send({ type: 'done', request: frame.request })
  }

  #fail(kind: number, number: number, feature: string, message: string): void {
    const request = this.#waiting!.frame.request
    this.dispose()
    this.#send({ type: 'failed', request, kind, errno: number, feature, message })
  }
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
