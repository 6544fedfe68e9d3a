// The few instructions that the guest needs. Source: Power ISA 3.0B, book I, sections 2.7 and 3.3.

const register = (n: number, shift: number) => n << shift

/** Load an immediate number of 15 bits. */
export const li = (target: number, value: number) => 0x38000000 | register(target, 21) | (value & 0x7fff)
/** Load eight bytes from an address in a register plus an offset. */
export const ld = (target: number, offset: number, base: number) =>
  (0xe8000000 | register(target, 21) | register(base, 16) | (offset & 0xfffc)) >>> 0
/** Move between registers. */
export const mr = (target: number, source: number) =>
  0x7c000378 | register(source, 21) | register(target, 16) | register(source, 11)
/** System call of level 1: to the hypervisor. */
export const hypercall = () => 0x44000022
/** A branch to itself. */
export const stay = () => 0x48000000
