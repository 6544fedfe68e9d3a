import { expect, test } from 'vitest'
import { loadLinux } from '../src/boot.js'

const MIB = 1 << 20

/** The parts of a bzImage that a loader looks at. */
function kernelFile({ magic = 'HdrS', version = 0x20f, flags = 1, limit = 2047 } = {}): Buffer {
  const file = Buffer.alloc(8192)
  file[0x1f1] = 1 // one sector after the first
  file[0x201] = 0x6a
  file.write(magic, 0x202, 'latin1')
  file.writeUInt16LE(version, 0x206)
  file.writeUInt32LE(0x7fffffff, 0x22c)
  file.writeUInt16LE(flags, 0x236)
  file.writeUInt32LE(limit, 0x238)
  file.writeBigUInt64LE(BigInt(16 * MIB), 0x258)
  file.writeUInt32LE(4 * MIB, 0x260)
  file.write('kernel', 1024, 'latin1')
  return file
}

const initramfs = Buffer.from('initramfs')
const load = (memory: Uint8Array, kernel = kernelFile(), commandLine = 'quiet') =>
  loadLinux(memory, { kernel, initramfs, commandLine })

test('the kernel, its initramfs and its command line lie where the boot parameters say', () => {
  const memory = Buffer.alloc(32 * MIB)
  const entry = load(memory)
  expect(entry).toMatchObject({ rip: BigInt(MIB + 0x200), rsi: 0x7000n })
  expect(memory.toString('latin1', MIB, MIB + 6)).toBe('kernel')
  const parameters = memory.subarray(Number(entry.rsi))
  const initramfsAt = parameters.readUInt32LE(0x218)
  const size = parameters.readUInt32LE(0x21c)
  expect(memory.toString('latin1', initramfsAt, initramfsAt + size)).toBe('initramfs')
  expect(initramfsAt % 4096).toBe(0)
  const commandLineAt = parameters.readUInt32LE(0x228)
  expect(memory.toString('latin1', commandLineAt, commandLineAt + 6)).toBe('quiet\0')
  expect(parameters.toString('latin1', 0x202, 0x206)).toBe('HdrS')
})

test('the memory map has all memory and not the firmware’s', () => {
  const memory = Buffer.alloc(32 * MIB)
  const { rsi } = load(memory)
  const parameters = memory.subarray(Number(rsi))
  const entries = Array.from({ length: parameters[0x1e8]! }, (_, index) => {
    const at = 0x2d0 + index * 20
    return [
      parameters.readBigUInt64LE(at),
      parameters.readBigUInt64LE(at + 8),
      parameters.readUInt32LE(at + 16),
    ]
  })
  expect(entries).toEqual([
    [0n, 0x9fc00n, 1],
    [0x9fc00n, 0x60400n, 2],
    [0x100000n, BigInt(31 * MIB), 1],
  ])
})

test('the page tables map each address to itself', () => {
  const memory = Buffer.alloc(32 * MIB)
  const { cr3 } = load(memory)
  const entry = (table: bigint, index: number) => memory.readBigUInt64LE(Number(table & ~0xfffn) + index * 8)
  const middle = entry(cr3, 0)
  const bottom = entry(middle, 0)
  expect([middle & 3n, bottom & 3n]).toEqual([3n, 3n])
  expect(entry(bottom, 7) & ~0x1fffffn).toBe(7n * 0x200000n)
})

test('what is no 64-bit Linux is refused with a sentence, and so is what does not fit', () => {
  const memory = Buffer.alloc(32 * MIB)
  expect(() => load(memory, kernelFile({ magic: 'nope' }))).toThrow(/no bzImage/)
  expect(() => load(memory, Buffer.alloc(10))).toThrow(/no bzImage/)
  expect(() => load(memory, kernelFile({ flags: 0 }))).toThrow(/64-bit entry/)
  expect(() => load(memory, kernelFile({ version: 0x20b }))).toThrow(/64-bit entry/)
  expect(() => load(Buffer.alloc(19 * MIB))).toThrow(/memory/)
  expect(() => load(memory, kernelFile({ limit: 4 }))).toThrow(/4 bytes/)
  expect(() => load(Buffer.alloc(32 * MIB), kernelFile({ limit: 5 }))).not.toThrow()
})
