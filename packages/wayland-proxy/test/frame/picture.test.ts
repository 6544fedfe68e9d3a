import { describe, expect, test } from 'vitest'
import { glyphPixel, spelt } from '../../src/frame/glyphs.js'
import { bandPlace, drawPicture, INSETS, inkOn, pictureBytes, solidPlace } from '../../src/frame/picture.js'
import { readPolicy } from '../../src/index.js'

const BLACK = 0xff000000
const WHITE = 0xffffffff

function band(label: string, colour: string, width: number): string[] {
  const pixels = new Uint32Array(drawPicture(label, colour).buffer)
  const paper = (0xff000000 | Number.parseInt(colour.slice(1), 16)) >>> 0
  return Array.from({ length: INSETS.top }, (_, row) =>
    Array.from({ length: width }, (_, x) => {
      const pixel = pixels[(row * bandPlace().stride) / 4 + x]
      return pixel === paper ? '.' : pixel === inkOn(paper) ? '#' : '?'
    }).join(''),
  )
}

describe('the picture of a frame', () => {
  test('shows the label, twice as large as its glyphs, on the colour', () => {
    expect(band('L', '#a51d2d', 20)).toEqual([
      ...Array.from({ length: 3 }, () => '.'.repeat(20)),
      ...Array.from({ length: 12 }, () => `${'.'.repeat(6)}##${'.'.repeat(12)}`),
      ...Array.from({ length: 2 }, () => `${'.'.repeat(6)}##########....`),
      ...Array.from({ length: 3 }, () => '.'.repeat(20)),
    ])
  })

  test('is the same on denser screens, with more pixels', () => {
    const plain = new Uint32Array(drawPicture('bank 7', '#336699').buffer)
    for (const scale of [2, 3]) {
      const dense = drawPicture('bank 7', '#336699', scale)
      expect(dense.length).toBe(pictureBytes(scale))
      const pixels = new Uint32Array(dense.buffer)
      const { stride } = bandPlace(scale)
      for (let y = 0; y < INSETS.top * scale; y++)
        for (let x = 0; x < 500 * scale; x++) {
          const there = plain[Math.floor(y / scale) * 16_640 + Math.floor(x / scale)]
          if (pixels[(y * stride) / 4 + x] !== there) expect([scale, x, y]).toBe('the same')
        }
    }
  })

  test('shows it again along the band', () => {
    const [line] = band('L', '#a51d2d', 400).slice(4)
    expect([...line!.matchAll(/##/g)].map(({ index }) => index)).toEqual([6, 114, 222, 330])
  })

  test('has strips of the colour alone, however wide', () => {
    const picture = drawPicture('x', '#336699')
    expect(picture.length).toBe(pictureBytes())
    for (const width of [INSETS.left, 1_000, 16_640]) {
      const { offset, stride } = solidPlace(width)
      const rows = width === INSETS.left ? 16_640 : INSETS.bottom
      expect(offset + stride * rows).toBeLessThanOrEqual(pictureBytes())
    }
    const solid = new Uint32Array(picture.buffer, solidPlace(4).offset)
    expect(solid.every((pixel) => pixel === 0xff336699)).toBe(true)
  })

  test('has a label that can be read on any colour', () => {
    expect(inkOn(0xffffffff)).toBe(BLACK)
    expect(inkOn(0xffffff00)).toBe(BLACK)
    expect(inkOn(0xff000000)).toBe(WHITE)
    expect(inkOn(0xffa51d2d)).toBe(WHITE)
    expect(inkOn(0xff0000ff)).toBe(WHITE)
  })

  test('has a glyph of its own for every printable character, and spells the others', () => {
    const drawn = new Map<string, string>()
    for (let code = 0x20; code < 0x7f; code++) {
      const character = String.fromCharCode(code)
      const pixels = Array.from({ length: 35 }, (_, at) => glyphPixel(character, at % 5, Math.floor(at / 5)))
      drawn.set(pixels.map(Number).join(''), character)
    }
    expect(drawn.size).toBe(95)
    expect(spelt('Büro 😀')).toBe('B\\u{fc}ro \\u{1f600}')
  })
})

describe('a policy’s frame', () => {
  const read = (frame: unknown) => readPolicy({ identity: { frame } })
  test('has a label and a colour, or is none', () => {
    expect(read('none')._unsafeUnwrap().identity.frame).toBe('none')
    expect(read({ label: 'mail', colour: '#00ff7F' })._unsafeUnwrap().identity.frame).toEqual({
      label: 'mail',
      colour: '#00ff7F',
    })
    for (const wrong of [
      { label: '' },
      { label: 'a\u202eb' },
      { label: 'x'.repeat(33) },
      { colour: 'red' },
      'off',
    ]) {
      expect(read(wrong)._unsafeUnwrapErr().path, JSON.stringify(wrong)).toBe('/identity/frame')
    }
  })
})
