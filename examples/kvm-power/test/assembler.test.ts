import { expect, test } from 'vitest'
import { hypercall, ld, li, mr, stay } from '../src/assembler.js'

// What `powerpc64le-linux-gnu-objdump` calls these words.
test('assembles the instructions that the guest is made of', () => {
  const words = [li(3, 0x58), ld(6, 0, 8), ld(7, 8, 8), mr(4, 3), hypercall(), stay()]
  expect(words.map((word) => word.toString(16))).toEqual([
    '38600058', // li r3,88
    'e8c80000', // ld r6,0(r8)
    'e8e80008', // ld r7,8(r8)
    '7c641b78', // mr r4,r3
    '44000022', // sc 1
    '48000000', // b .
  ])
})
