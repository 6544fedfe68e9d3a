import { describe, expect, it } from 'vitest'
import { parseImage } from '../src/viewer.js'

const image = (head: string, length: number) => Buffer.concat([Buffer.from(head), Buffer.alloc(length, 7)])

describe('what comes out of the machine', () => {
  it('is an image of exactly its size', () => {
    expect(parseImage(image('P6\n2 3\n255\n', 18))).toMatchObject({ width: 2, height: 3 })
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another format', image('P5\n2 3\n255\n', 6)],
    ['a size of nought', image('P6\n0 3\n255\n', 0)],
    ['a size of five digits', image('P6\n10000 1\n255\n', 30_000)],
    ['a comment', image('P6\n# x\n2 3\n255\n', 18)],
    ['a byte too few', image('P6\n2 3\n255\n', 17)],
    ['a byte too many', image('P6\n2 3\n255\n', 19)],
  ])('is refused when it is %s', (_, bytes) => {
    expect(() => parseImage(bytes)).toThrow(/what came out of the machine/)
  })
})
