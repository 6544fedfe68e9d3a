import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { bandPlace, colourOf, drawPicture, INSETS } from '../../src/frame/picture.js'
import type { FramePolicy } from '../../src/index.js'
import { type Desktop, type Rectangle, run } from './desktop.js'

/** A picture of the desktop, taken on the host's side. */
export class Screen {
  readonly width: number
  readonly height: number
  readonly #bytes: Uint8Array
  readonly #start: number

  private constructor(width: number, height: number, bytes: Uint8Array, start: number) {
    this.width = width
    this.height = height
    this.#bytes = bytes
    this.#start = start
  }

  static async of(desktop: Desktop): Promise<Screen> {
    const file = join(desktop.folder, 'screen.ppm')
    const { code, output } = await run(['grim', '-t', 'ppm', file], desktop.environment())
    if (code !== 0) throw new Error(`grim: ${output}`)
    const bytes = readFileSync(file)
    const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(bytes.toString('latin1', 0, 64))!
    return new Screen(Number(header[1]), Number(header[2]), bytes, header[0].length)
  }

  /** At weston, which takes pictures of itself where it was started for that. */
  static async ofWeston(desktop: Desktop): Promise<Screen> {
    const shots = () => readdirSync(desktop.folder).filter((name) => name.startsWith('wayland-screenshot'))
    const { code, output } = await run(
      ['weston-screenshooter'],
      desktop.environment(),
      20_000,
      desktop.folder,
    )
    const [name] = shots()
    if (code !== 0 || name === undefined) throw new Error(`weston-screenshooter: ${output}`)
    const { width, height, pixels } = decodePng(readFileSync(join(desktop.folder, name)))
    rmSync(join(desktop.folder, name))
    return new Screen(width, height, pixels, 0)
  }

  /** 0xffrrggbb, as the frame's picture has it; 0 outside. */
  pixel(x: number, y: number): number {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return 0
    const at = this.#start + (y * this.width + x) * 3
    const bytes = this.#bytes
    return (0xff000000 | (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!) >>> 0
  }

  /** Whether the band with its label is at the top of this window, each pixel of it, on a screen that is so dense. */
  hasBand(window: Rectangle, frame: FramePolicy, scale = 1): boolean {
    const picture = new Uint32Array(drawPicture(frame.label, frame.colour, scale).buffer)
    for (let y = 0; y < INSETS.top * scale; y++) {
      const row = (y * bandPlace(scale).stride) / 4
      for (let x = 0; x < window.width * scale; x++) {
        if (this.pixel(window.x * scale + x, window.y * scale + y) !== picture[row + x]) return false
      }
    }
    return true
  }

  /** Whether a band begins anywhere, and goes on to the screen's right edge. */
  hasBandSomewhere(frame: FramePolicy): boolean {
    const colour = colourOf(frame.colour)
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        if (this.pixel(x, y) !== colour) continue
        return this.hasBand({ x, y, width: this.width - x, height: this.height - y }, frame)
      }
    }
    return false
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

  /** How many pixels are others than in another picture of this screen. */
  differences(other: Screen): number {
    let count = 0
    for (let at = 0; at < this.width * this.height * 3; at += 3) {
      const [a, b] = [this.#start + at, other.#start + at]
      for (let part = 0; part < 3; part++) {
        if (this.#bytes[a + part] === other.#bytes[b + part]) continue
        count += 1
        break
      }
    }
    return count
  }

  /** Whether all is black outside of the window. */
  isBlank(outside: Rectangle): boolean {
    const black = 0xff000000
    for (let y = 0; y < this.height; y++) {
      const across = y < outside.y || y >= outside.y + outside.height
      for (let x = 0; x < this.width; x++) {
        if (!across && x === outside.x) x += outside.width
        if (x < this.width && this.pixel(x, y) !== black) return false
      }
    }
    return true
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

/** Eight bits a channel, with or without alpha, not interlaced: as weston writes them. Three bytes a pixel. */
function decodePng(file: Buffer): { width: number; height: number; pixels: Uint8Array } {
  const [width, height, channels] = [file.readUInt32BE(16), file.readUInt32BE(20), file[25] === 6 ? 4 : 3]
  const parts: Buffer[] = []
  for (let at = 8; at < file.length; at += file.readUInt32BE(at) + 12) {
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)))
  }
  const raw = inflateSync(Buffer.concat(parts))
  const stride = width * channels
  const lines = new Uint8Array(height * stride)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!
    const from = y * (stride + 1) + 1
    const to = y * stride
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : lines[to + x - channels]!
      const up = y === 0 ? 0 : lines[to - stride + x]!
      let guess = 0
      if (filter === 1) guess = left
      else if (filter === 2) guess = up
      else if (filter === 3) guess = (left + up) >> 1
      else if (filter === 4)
        guess = nearest(left, up, x < channels || y === 0 ? 0 : lines[to - stride + x - channels]!)
      lines[to + x] = raw[from + x]! + guess
    }
  }
  const pixels = new Uint8Array(width * height * 3)
  for (let at = 0; at < width * height * 3; at++)
    pixels[at] = lines[Math.floor(at / 3) * channels + (at % 3)]!
  return { width, height, pixels }
}

/** PNG's Paeth predictor. */
function nearest(left: number, up: number, corner: number): number {
  const guess = left + up - corner
  const a = Math.abs(guess - left)
  const b = Math.abs(guess - up)
  const c = Math.abs(guess - corner)
  return a <= b && a <= c ? left : b <= c ? up : corner
}
