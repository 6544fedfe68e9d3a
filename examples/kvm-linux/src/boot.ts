import { Buffer } from 'node:buffer'

// Linux's 64-bit boot protocol. Source: Documentation/arch/x86/boot.rst and zero-page.rst.

/** Where things lie in the guest's memory, below the kernel at 1 MiB. */
const GDT_AT = 0x1000
const BOOT_PARAMETERS_AT = 0x7000
const PAGE_TABLES_AT = 0x9000
const COMMAND_LINE_AT = 0x20000
const KERNEL_AT = 0x100000
/** The first address of what a PC keeps for its firmware. */
const FIRMWARE_AT = 0x9fc00

const PAGE = 0x1000
const LARGE_PAGE = 0x200000
const GIGABYTE = 0x40000000

/** Offsets in the boot parameters; those from 0x1f1 on are also offsets in the kernel's file. */
const E820_ENTRIES = 0x1e8
const SETUP_SECTORS = 0x1f1
const HEADER_END = 0x201
const MAGIC = 0x202
const VERSION = 0x206
const LOADER_TYPE = 0x210
const INITRAMFS_AT = 0x218
const INITRAMFS_SIZE = 0x21c
const COMMAND_LINE_POINTER = 0x228
const INITRAMFS_LIMIT = 0x22c
const LOAD_FLAGS_64 = 0x236
const COMMAND_LINE_LIMIT = 0x238
const PREFERRED_ADDRESS = 0x258
const SPACE_NEEDED = 0x260
const E820_TABLE = 0x2d0

const OLDEST_VERSION = 0x20c
const ENTRY_64 = 0x200
const UNKNOWN_LOADER = 0xff
const E820_RAM = 1
const E820_RESERVED = 2

export interface LinuxImage {
  /** A bzImage, as distributions ship it: `/boot/vmlinuz-…`. */
  readonly kernel: Uint8Array
  readonly initramfs: Uint8Array
  readonly commandLine: string
}

/** Where a processor in 64-bit mode has to begin, and with what. */
export interface EntryState {
  readonly rip: bigint
  readonly rsi: bigint
  readonly rsp: bigint
  readonly cr3: bigint
  readonly gdt: { readonly base: bigint; readonly limit: number }
}

/**
 * Puts a kernel, its initramfs and what it wants to be told into the guest's memory, which begins at guest address 0.
 * Throws a sentence when the kernel is not one or the memory is too small.
 */
export function loadLinux(memory: Uint8Array, image: LinuxImage): EntryState {
  const file = Buffer.from(image.kernel.buffer, image.kernel.byteOffset, image.kernel.byteLength)
  const guest = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength)
  checkKernel(file)
  if (guest.length > GIGABYTE) throw new Error('the page tables here cover 1 GiB of memory, not more')

  // setup_sects counts sectors after the first; 0 means 4, for kernels older than time.
  const setupBytes = ((file[SETUP_SECTORS] || 4) + 1) * 512
  const kernel = file.subarray(setupBytes)
  const room = Number(file.readBigUInt64LE(PREFERRED_ADDRESS)) + file.readUInt32LE(SPACE_NEEDED)
  const initramfsAt = floor(
    Math.min(guest.length, file.readUInt32LE(INITRAMFS_LIMIT)) - image.initramfs.length,
  )
  if (KERNEL_AT + kernel.length > initramfsAt || room > initramfsAt)
    throw new Error(`${guest.length} bytes of memory hold no kernel that wants ${room} and its initramfs`)
  guest.set(kernel, KERNEL_AT)
  guest.set(image.initramfs, initramfsAt)

  const commandLine = Buffer.from(`${image.commandLine}\0`, 'latin1')
  const limit = file.readUInt32LE(COMMAND_LINE_LIMIT)
  if (commandLine.length - 1 > limit) throw new Error(`the kernel takes command lines of ${limit} bytes`)
  guest.set(commandLine, COMMAND_LINE_AT)

  const parameters = guest.subarray(BOOT_PARAMETERS_AT, BOOT_PARAMETERS_AT + PAGE).fill(0)
  // The header says itself where it ends, and goes into the parameters as it is.
  parameters.set(file.subarray(SETUP_SECTORS, MAGIC + file[HEADER_END]!), SETUP_SECTORS)
  parameters[LOADER_TYPE] = UNKNOWN_LOADER
  parameters.writeUInt32LE(initramfsAt, INITRAMFS_AT)
  parameters.writeUInt32LE(image.initramfs.length, INITRAMFS_SIZE)
  parameters.writeUInt32LE(COMMAND_LINE_AT, COMMAND_LINE_POINTER)
  describeMemory(parameters, guest.length)

  writePageTables(guest)
  return {
    rip: BigInt(KERNEL_AT + ENTRY_64),
    rsi: BigInt(BOOT_PARAMETERS_AT),
    rsp: BigInt(BOOT_PARAMETERS_AT),
    cr3: BigInt(PAGE_TABLES_AT),
    gdt: writeDescriptors(guest),
  }
}

const floor = (address: number) => address - (address % PAGE)

function checkKernel(file: Buffer): void {
  if (file.length < 0x1000 || file.toString('latin1', MAGIC, MAGIC + 4) !== 'HdrS')
    throw new Error('this is no bzImage: name a kernel such as /boot/vmlinuz-…')
  if (file.readUInt16LE(VERSION) < OLDEST_VERSION || !(file.readUInt16LE(LOAD_FLAGS_64) & 1))
    throw new Error('this kernel has no 64-bit entry point: it is 32-bit or older than Linux 3.8')
}

/** The map that a BIOS would give (INT 15h, function E820h). */
function describeMemory(parameters: Buffer, size: number): void {
  const ranges: [from: number, to: number, type: number][] = [
    [0, FIRMWARE_AT, E820_RAM],
    [FIRMWARE_AT, KERNEL_AT, E820_RESERVED],
    [KERNEL_AT, size, E820_RAM],
  ]
  parameters[E820_ENTRIES] = ranges.length
  ranges.forEach(([from, to, type], index) => {
    const at = E820_TABLE + index * 20
    parameters.writeBigUInt64LE(BigInt(from), at)
    parameters.writeBigUInt64LE(BigInt(to - from), at + 8)
    parameters.writeUInt32LE(type, at + 16)
  })
}

/** Maps the first gigabyte to itself: three levels, in pages of 2 MiB. */
function writePageTables(guest: Buffer): void {
  const PRESENT_AND_WRITABLE = 3
  const LARGE = 0x80
  const [top, middle, bottom] = [PAGE_TABLES_AT, PAGE_TABLES_AT + PAGE, PAGE_TABLES_AT + 2 * PAGE]
  guest.writeBigUInt64LE(BigInt(middle | PRESENT_AND_WRITABLE), top)
  guest.writeBigUInt64LE(BigInt(bottom | PRESENT_AND_WRITABLE), middle)
  for (let page = 0; page < GIGABYTE / LARGE_PAGE; page += 1)
    guest.writeBigUInt64LE(
      BigInt(page * LARGE_PAGE) | BigInt(PRESENT_AND_WRITABLE | LARGE),
      bottom + page * 8,
    )
}

/** Selectors that the boot protocol demands: 0x10 for code and 0x18 for data, both flat. */
export const CODE_SELECTOR = 0x10
export const DATA_SELECTOR = 0x18

function writeDescriptors(guest: Buffer): { base: bigint; limit: number } {
  const entries = [0n, 0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn]
  entries.forEach((entry, index) => {
    guest.writeBigUInt64LE(entry, GDT_AT + index * 8)
  })
  return { base: BigInt(GDT_AT), limit: entries.length * 8 - 1 }
}
