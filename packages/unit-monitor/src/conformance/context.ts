import type { MachineDescription, MachineView, Monitor, PmemDevice, VolumeDevice } from '../machine.js'
import type { Clock } from '../powers.js'

/** What one monitor brings to its conformance tests. Made anew for each test, disposed after it. */
export interface ConformanceContext extends AsyncDisposable {
  /** The one that is tested. */
  readonly monitor: Monitor
  /** For the suite's own deadlines. */
  readonly clock: Clock
  /** A bootable description with a fresh directory, whose guest speaks like `echoGuest`. */
  machine(changes?: Partial<MachineDescription>): Promise<MachineDescription>
  /** A description whose monitor dies before the control channel is connected, saying why. */
  dyingMachine(): Promise<MachineDescription>
  /** A fresh device whose file holds zeroes. */
  pmem(sizeBytes: number): Promise<PmemDevice>
  /** Whether the guest has changed a byte of the file. */
  isUntouched(device: PmemDevice): Promise<boolean>
  /** A fresh volume whose file holds zeroes. */
  volume(serial: string, sizeBytes: number): Promise<VolumeDevice>
  /** Text at the beginning of a volume's file, up to the first zero byte. */
  beginningOf(volume: VolumeDevice): Promise<string>
  /** Serves an empty directory as the view of one machine. */
  view(): Promise<ConformanceView>
  /** Processes this context has started that still run, and what is left in the directories it gave out. */
  leftovers(): Promise<readonly string[]>
  /** How many milliseconds a machine may take to start, and its guest to boot. */
  readonly bootMs: number
}

/** A view's server, for one machine. */
export interface ConformanceView extends AsyncDisposable {
  /** For the description of one machine. */
  readonly view: MachineView
  /** From now on it shows exactly these names. */
  show(names: readonly string[]): Promise<void>
}

/** The three functions of a test library that the suite uses; vitest's fit. */
export interface TestApi {
  /** As vitest's and jest's. */
  describe(name: string, body: () => void): void
  /** As vitest's and jest's. */
  it(name: string, body: () => Promise<void>, timeoutMs?: number): void
  /** As vitest's and jest's, with the few matchers that are used. */
  expect(actual: unknown): {
    /** The same value. */
    toBe(expected: unknown): void
    /** An equal value, all the way down. */
    toEqual(expected: unknown): void
    /** At least these properties. */
    toMatchObject(expected: object): void
  }
}
