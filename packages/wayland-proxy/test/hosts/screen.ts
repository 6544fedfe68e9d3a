import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bandPlace, colourOf, drawPicture, INSETS } from '../../src/frame/picture.js'
import type { FramePolicy } from '../../src/index.js'
import { type Desktop, type Rectangle, run } from './desktop.js'

/** A picture of the desktop, taken on the host's side. */
export class Screen {
  readonly width: number
  readonly height: number
  readonly #bytes: Uint8Array
  readonly #start: number

  private constructor(bytes: Uint8Array) {
    const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(
      new TextDecoder('latin1').decode(bytes.subarray(0, 64)),
    )!
    this.width = Number(header[1])
    this.height = Number(header[2])
    this.#bytes = bytes
    this.#start = header[0].length
  }

  static async of(desktop: Desktop): Promise<Screen> {
    const file = join(desktop.folder, 'screen.ppm')
    const { code, output } = await run(['grim', '-t', 'ppm', file], desktop.environment())
    if (code !== 0) throw new Error(`grim: ${output}`)
    return new Screen(readFileSync(file))
  }

  /** 0xffrrggbb, as the frame's picture has it; 0 outside. */
  pixel(x: number, y: number): number {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return 0
    const at = this.#start + (y * this.width + x) * 3
    const [red, green, blue] = this.#bytes.subarray(at, at + 3)
    return (0xff000000 | (red! << 16) | (green! << 8) | blue!) >>> 0
  }

  /** Whether the band with its label is at the top of this window, each pixel of it. */
  hasBand(window: Rectangle, frame: FramePolicy): boolean {
    const picture = new Uint32Array(drawPicture(frame.label, frame.colour).buffer)
    for (let y = 0; y < INSETS.top; y++) {
      const row = (y * bandPlace.stride) / 4
      for (let x = 0; x < window.width; x++) {
        if (this.pixel(window.x + x, window.y + y) !== picture[row + x]) return false
      }
    }
    return true
  }

  /** Whether the whole frame is round this window: the band, and the three other sides. */
  isFramed(window: Rectangle, frame: FramePolicy): boolean {
    const colour = colourOf(frame.colour)
    const { left, top, right, bottom } = INSETS
    for (let y = top; y < window.height; y++) {
      const across = y >= window.height - bottom
      for (let x = 0; x < window.width; x++) {
        if (!across && x >= left && x < window.width - right) x = window.width - right
        if (this.pixel(window.x + x, window.y + y) !== colour) return false
      }
    }
    return this.hasBand(window, frame)
  }

  /** All whole frames on the screen. */
  frames(frame: FramePolicy): Rectangle[] {
    const colour = colourOf(frame.colour)
    const found: Rectangle[] = []
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        if (this.pixel(x, y) !== colour) continue
        if (this.pixel(x - 1, y) === colour || this.pixel(x, y - 1) === colour) continue
        let [width, height] = [0, 0]
        while (this.pixel(x + width, y) === colour) width += 1
        while (this.pixel(x, y + height) === colour) height += 1
        const window = { x, y, width, height }
        if (width > INSETS.left + INSETS.right && height > INSETS.top && this.isFramed(window, frame)) {
          found.push(window)
        }
      }
    }
    return found
  }

  /** Whether this colour is anywhere outside of the window. */
  shows(colour: number, outside: Rectangle): boolean {
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        const inside =
          x >= outside.x && y >= outside.y && x < outside.x + outside.width && y < outside.y + outside.height
        if (!inside && this.pixel(x, y) === colour) return true
      }
    }
    return false
  }
}
