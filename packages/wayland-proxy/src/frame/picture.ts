import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphPixel, spelt } from './glyphs.js'

/** Pixels of the frame on each side of what it goes round. The label stands in the top one. */
export const INSETS = { left: 4, top: 20, right: 4, bottom: 4 } as const
/** Wider and higher than any window that the default limits let pass, with its frame. */
export const MOST_PIXELS = 16_640
/** Frames are drawn as dense as their windows, up to this; the compositor enlarges them for what is denser still. */
export const MOST_SCALE = 3

const SCALE = 2
const FIRST_LABEL = 6
const ABOVE_LABEL = (INSETS.top - GLYPH_HEIGHT * SCALE) / 2
const CELL = (GLYPH_WIDTH + 1) * SCALE
/** The label comes again along the band, so that a window that is half covered still shows it. */
const BETWEEN_LABELS = 96
const BYTES = 4

/** Where in the picture's memory a buffer begins, and how far apart its rows are; bytes. */
export interface Place {
  readonly offset: number
  readonly stride: number
}

const THICKEST = Math.max(INSETS.left, INSETS.right, INSETS.bottom)

const bandStride = (scale: number) => MOST_PIXELS * scale * BYTES
const solidAt = (scale: number) => INSETS.top * scale * bandStride(scale)

/** The memory of a picture with so many pixels for one of the window's. */
export const pictureBytes = (scale = 1): number => solidAt(scale) + THICKEST * scale * bandStride(scale)

/** The first pixels of the band. */
export const bandPlace = (scale = 1): Place => ({ offset: 0, stride: bandStride(scale) })
/** A strip of the colour alone: it looks the same however its rows lie. `width` in the window's pixels. */
export const solidPlace = (width: number, scale = 1): Place => ({
  offset: solidAt(scale),
  stride: width * scale * BYTES,
})

/** `#rrggbb` as XRGB8888. */
export function colourOf(text: string): number {
  return (0xff000000 | Number.parseInt(text.slice(1), 16)) >>> 0
}

function luminance(colour: number): number {
  const linear = (shift: number) => {
    const value = ((colour >>> shift) & 0xff) / 255
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
}

/** Black or white, whichever WCAG's contrast says reads better on it. */
export function inkOn(colour: number): number {
  return luminance(colour) > 0.179 ? 0xff000000 : 0xffffffff
}

/**
 * All pixels that the frames of a unit are made of, in one piece of memory that never changes: a buffer of any
 * size is only another look at it, so a window that is resized all the time costs no drawing.
 */
export function drawPicture(label: string, colour: string, scale = 1): Uint8Array {
  const pixels = new Uint32Array(pictureBytes(scale) / BYTES)
  const background = colourOf(colour)
  const ink = inkOn(background)
  pixels.fill(background)
  const text = spelt(label)
  const every = text.length * CELL + BETWEEN_LABELS
  for (let start = FIRST_LABEL; start + CELL < MOST_PIXELS; start += every) {
    drawText(pixels, text, start, ink, scale)
  }
  return new Uint8Array(pixels.buffer)
}

function drawText(pixels: Uint32Array, text: string, left: number, ink: number, scale: number): void {
  const across = MOST_PIXELS * scale
  const dot = SCALE * scale
  for (let row = 0; row < GLYPH_HEIGHT * dot; row++) {
    const line = (ABOVE_LABEL * scale + row) * across + left * scale
    for (let x = 0; x < text.length * CELL * scale && left * scale + x < across; x++) {
      const column = Math.floor((x % (CELL * scale)) / dot)
      if (column >= GLYPH_WIDTH) continue
      const character = text[Math.floor(x / (CELL * scale))]!
      if (glyphPixel(character, column, Math.floor(row / dot))) pixels[line + x] = ink
    }
  }
}
