import type { ChildProcess } from 'node:child_process'
import { expect } from 'vitest'
import { readPolicy } from '../../src/index.js'
import { type Desktop, type Rectangle, run } from './desktop.js'
import type { HostKeyboard } from './keyboard.js'
import { type HostPointer, LEFT, RIGHT } from './pointer.js'
import { Screen } from './screen.js'
import { RealUnit } from './unit.js'

export const FRAME = { label: 'mail', colour: '#a51d2d' }
/** What another program of the unit copies. */
const TEXT = 'said in the unit'
/** What a program of the desktop copies. */
const SECRET = 'of the desktop'
const IDENTITY = { titlePrefix: '[mail] ', appIdPrefix: 'unit.mail.', frame: FRAME }

/** A compositor with a user: `outer` has the screen, the mouse and the keyboard, `desktop` runs the programs. */
export interface Host {
  readonly desktop: Desktop
  readonly outer: Desktop
  readonly pointer: HostPointer
  readonly keyboard: HostKeyboard
  /** What the compositor calls the windows. */
  titles(): Promise<readonly string[]>
  /** The user makes the window cover the screen, or not any more. */
  toggleFullscreen(): Promise<void>
  /** Where its frame is then. */
  readonly whole: Rectangle
  /** Ends it and all that runs in it. */
  close(): Promise<void>
}

/** A user in front of one program of a unit. What is expected is waited for. */
export class Walk implements AsyncDisposable {
  readonly unit: RealUnit
  readonly #host: Host
  #child: ChildProcess | undefined

  constructor(host: Host) {
    this.#host = host
    this.unit = new RealUnit(host.desktop, { identity: IDENTITY })
  }

  get inside(): NodeJS.ProcessEnv {
    return this.#host.desktop.environment(this.unit.socket)
  }

  /** All whole frames that are on the screen, pixel by pixel. */
  async frames(): Promise<Rectangle[]> {
    return (await Screen.of(this.#host.outer)).frames(FRAME)
  }

  async #window(): Promise<Rectangle> {
    await expect.poll(() => this.frames(), { message: 'one frame' }).toHaveLength(1)
    return (await this.frames())[0]!
  }

  /** Where the pointer's image covers neither a frame nor a menu that opened in the middle. */
  async #aside({ x, y, height }: Rectangle): Promise<void> {
    await this.#host.pointer.moveTo(x + 40, y + height - 60)
  }

  async opens(argv: readonly string[]): Promise<void> {
    // Its image would cover a frame.
    await this.#host.pointer.moveTo(1_279, 719)
    let tries = 0
    const framed = async () => {
      // weston places a window by its surface's origin, wherever: the band above it may be under the panel.
      if (tries++ % 12 === 0) {
        this.#child?.kill('SIGKILL')
        this.#child = this.#host.desktop.start(argv, this.inside)
      }
      return await this.frames()
    }
    await expect.poll(framed, { interval: 400, timeout: 60_000, message: 'opens' }).toHaveLength(1)
    const titles = async () => (await this.#host.titles()).filter((one) => one.startsWith('[mail] '))
    await expect.poll(titles, { message: 'its title' }).toHaveLength(1)
  }

  /** As large as the screen, so that its frame is partly off it; at sway its band is not. */
  async opensLarge(argv: readonly string[], withBand: boolean): Promise<void> {
    this.#child = this.#host.desktop.start(argv, this.inside)
    const titles = async () => (await this.#host.titles()).filter((one) => one.startsWith('[mail] '))
    await expect.poll(titles, { message: 'its title' }).toHaveLength(1)
    const shown = async () => (await Screen.of(this.#host.outer)).hasBandSomewhere(FRAME)
    if (withBand) await expect.poll(shown, { message: 'its band' }).toBe(true)
  }

  /** At its right edge, which is the frame's, or at its left one where the screen ends. */
  async isResized(): Promise<void> {
    const before = await this.#window()
    const { pointer } = this.#host
    const wider = async () => {
      const [now] = await this.frames()
      if (now !== undefined && now.width > before.width + 40) return true
      if (now === undefined) return false
      const y = now.y + Math.round(now.height / 2)
      const end = now.x + now.width
      const [from, to] = end < 1_180 ? [end - 2, end + 88] : [now.x + 2, now.x - 88]
      await pointer.drag([from, y], [to, y], () => this.#pressArrived())
      await this.#aside(now)
      return false
    }
    await expect.poll(wider, { interval: 500, message: 'resized' }).toBe(true)
    await this.#window()
  }

  async #pressArrived(): Promise<void> {
    const { counters } = this.unit.proxy
    const before = counters.events + counters.requests
    const arrived = () => {
      const now = this.unit.proxy.counters
      return now.events + now.requests > before
    }
    await expect.poll(arrived, { message: 'the press' }).toBe(true)
  }

  /** By the right button in the window, or by the left one on its menu bar. */
  async opensAndClosesItsMenu(bar?: 'bar'): Promise<void> {
    const { pointer } = this.#host
    const window = await this.#window()
    let tries = 0
    const press = () => {
      // How high a bar is depends on what is installed.
      if (bar) return pointer.click(window.x + 150, window.y + 34 + ((tries++ * 5) % 30), LEFT)
      return pointer.click(window.x + Math.round(window.width / 2), window.y + window.height - 60, RIGHT)
    }
    // A menu may cover its window's frame. A busy program overlooks a press now and then, as users know.
    const isWindow = (one: Rectangle) => one.x === window.x && one.y === window.y
    const until = async (open: boolean, act: () => Promise<void>) => {
      const done = async () => {
        const frames = await this.frames()
        if (frames.some((one) => !isWindow(one)) === open && (open || frames.length === 1)) return true
        await act()
        await this.#aside(window)
        return false
      }
      await expect.poll(done, { interval: 500, message: open ? 'its menu' : 'no menu' }).toBe(true)
    }
    await until(true, press)
    // A press elsewhere.
    await until(false, () => pointer.click(window.x + 40, window.y + window.height - 60))
  }

  async coversTheScreenAndComesBack(): Promise<void> {
    const before = await this.#window()
    await this.#aside(before)
    await this.#host.toggleFullscreen()
    await this.#aside(this.#host.whole)
    await expect.poll(() => this.frames(), { message: 'fullscreen' }).toEqual([this.#host.whole])
    await this.#host.toggleFullscreen()
    let tries = 0
    const back = async () => {
      // Where the window comes back, the pointer's image may lie on its frame.
      const [x, y] = tries++ % 2 === 0 ? [1_279, 719] : [40, 640]
      await this.#host.pointer.moveTo(x!, y!)
      return (await this.frames()).map(({ width }) => width < 1_200)
    }
    await expect.poll(back, { message: 'back' }).toEqual([true])
  }

  /** One that keeps its size is shown in its frame all the same, and nothing else is. */
  async coversTheScreenInItsSize(): Promise<void> {
    const { pointer } = this.#host
    const before = await this.#window()
    const { width, height } = before
    const inside = [before.x + 40, before.y + height - 60] as const
    await pointer.click(...inside)
    const alone = async () => {
      const screen = await Screen.of(this.#host.outer)
      const [frame] = screen.frames(FRAME)
      return frame?.width === width && frame.height === height && screen.isBlank(frame)
    }
    expect(await alone()).toBe(false)
    await this.#host.toggleFullscreen()
    // In the middle of the screen then, and of the window.
    await pointer.moveTo(640, 360)
    await expect.poll(alone, { message: 'fullscreen' }).toBe(true)
    await this.#host.toggleFullscreen()
    await pointer.moveTo(...inside)
    await expect.poll(alone, { message: 'back' }).toBe(false)
    await this.#window()
  }

  /** One that is larger than the screen with its frame, and does not make room for that, does not cover the screen. */
  async staysAWindow(): Promise<void> {
    await this.#host.pointer.click(640, 400)
    await this.#host.toggleFullscreen()
    const codes = () => this.unit.warnings.map(({ code }) => code)
    await expect.poll(codes, { message: 'no fullscreen' }).toContain('W-FULLSCREEN')
    expect(this.unit.accidents).toEqual([])
  }

  /** What the program shows changes, without anybody's doing. */
  async moves(): Promise<void> {
    const shown = await Screen.of(this.#host.outer)
    const differs = async () => (await Screen.of(this.#host.outer)).differences(shown)
    await expect.poll(differs, { message: 'it moves' }).toBeGreaterThan(1_000)
  }

  /** Another program of the unit copies a text, and the user does `paste` in this one until `pasted` tells it. */
  async pastes(paste: () => Promise<void>, pasted: () => Promise<string> | string): Promise<void> {
    const copying = this.#host.desktop.start(['wl-copy', '--foreground', TEXT], this.inside)
    await expect.poll(() => this.clipboard(), { message: 'copied' }).toBe(TEXT)
    const arrives = async () => {
      await this.focus()
      await paste()
      return await pasted()
    }
    await expect.poll(arrives, { interval: 500, message: 'pasted' }).toContain(TEXT)
    if (copying.exitCode === null && copying.signalCode === null) copying.kill()
  }

  /** The same, and the program is left without it, and goes on. */
  async pastesNothing(paste: () => Promise<void>): Promise<void> {
    const copying = this.#host.desktop.start(['wl-copy', '--foreground', TEXT], this.inside)
    await expect.poll(() => this.clipboard(), { message: 'copied' }).toBe(TEXT)
    const refused = async () => {
      await this.focus()
      await paste()
      return this.unit.warnings.map(({ code }) => code)
    }
    await expect.poll(refused, { interval: 500, message: 'refused' }).toContain('W-DESCRIPTOR-KIND')
    expect(this.unit.accidents).toEqual([])
    copying.kill()
  }

  /** What the unit may do with the desktop's clipboard from now on. */
  clipboardIs(clipboard: object): void {
    this.unit.proxy.setPolicy(readPolicy({ identity: IDENTITY, clipboard })._unsafeUnwrap())
  }

  /**
   * A program of the desktop copies a text. The user's `paste` brings it into this program where the policy opens the
   * border to a gesture, and not when the gesture is over; nor has another program of the unit got it, which nobody
   * touched.
   */
  async pastesFromTheDesktop(
    paste: () => Promise<void>,
    pasted: () => Promise<string> | string,
  ): Promise<void> {
    const { desktop } = this.#host
    const copying = desktop.start(['wl-copy', '--foreground', SECRET], desktop.environment())
    await expect.poll(() => this.#pastesAtTheDesktop(), { message: 'copied' }).toBe(SECRET)
    this.clipboardIs({ mode: 'paste-in', gestureMilliseconds: 0 })
    const codes = async () => {
      await this.focus()
      await paste()
      return this.unit.warnings.map(({ code }) => code)
    }
    await expect.poll(codes, { interval: 500, message: 'refused' }).toContain('W-CLIPBOARD-GESTURE')
    expect(await pasted()).not.toContain(SECRET)
    this.clipboardIs({ mode: 'paste-in' })
    expect(await this.clipboard()).not.toContain(SECRET)
    const arrives = async () => {
      await this.focus()
      await paste()
      return await pasted()
    }
    await expect.poll(arrives, { interval: 500, message: 'pasted' }).toContain(SECRET)
    this.clipboardIs({ mode: 'internal' })
    copying.kill()
    expect(this.unit.accidents).toEqual([])
  }

  async #pastesAtTheDesktop(): Promise<string> {
    return (await run(['wl-paste', '--no-newline'], this.#host.desktop.environment(), 5_000)).output
  }

  /** The user does `copy` until another program of the unit can paste `text`. */
  async copies(copy: (window: Rectangle) => Promise<void>, text: string): Promise<void> {
    const arrives = async () => {
      await this.focus()
      await copy(await this.#window())
      return await this.clipboard()
    }
    await expect.poll(arrives, { interval: 500, message: 'copied' }).toContain(text)
  }

  /** Nothing of what was copied got to the desktop. */
  async keptItsClipboard(): Promise<void> {
    expect(await this.#pastesAtTheDesktop()).not.toMatch(/said|copied/)
  }

  /** What the programs of the unit can paste; with `--primary`, what is selected in them. Who asks has a window for a moment. */
  async clipboard(...options: readonly string[]): Promise<string> {
    const { output } = await run(['wl-paste', '--no-newline', ...options], this.inside, 5_000)
    return output
  }

  /** A press into the window. */
  async focus(): Promise<void> {
    const window = await this.#window()
    await this.#host.pointer.click(window.x + 40, window.y + window.height - 60)
  }

  /** `act` closes it; it was nobody's accident. */
  async closes(act: (child: ChildProcess) => Promise<void>): Promise<void> {
    const child = this.#child!
    const gone = () => child.exitCode !== null || child.signalCode !== null
    if (!gone()) await act(child)
    await expect.poll(gone, { message: 'its end' }).toBe(true)
    await expect.poll(() => this.frames(), { message: 'closed' }).toEqual([])
    expect(this.unit.accidents).toEqual([])
    await expect.poll(() => this.unit.proxy.connections).toBe(0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.unit[Symbol.asyncDispose]()
  }
}
