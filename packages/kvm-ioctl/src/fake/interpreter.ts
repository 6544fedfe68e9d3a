import type { LayoutOf } from '../architecture.js'
import type { StructureValue } from '../structures/values.js'

export type Registers = StructureValue<LayoutOf<'x86_64', 'kvm_regs'>>
export type SpecialRegisters = StructureValue<LayoutOf<'x86_64', 'kvm_sregs'>>

/** What the guest reaches by a physical address: a byte of memory, or nothing. */
export interface Bus {
  /** `undefined` where no slot is. */
  read(address: number): number | undefined
  /** False where no writable slot is. */
  write(address: number, value: number): boolean
}

/** What makes the guest leave its memory. */
export type Stop =
  | { readonly kind: 'out'; readonly port: number; readonly data: Uint8Array }
  | { readonly kind: 'in'; readonly port: number; readonly size: number }
  | { readonly kind: 'mmio-write'; readonly address: number; readonly data: Uint8Array }
  | { readonly kind: 'mmio-read'; readonly address: number; readonly size: number }
  | { readonly kind: 'hlt' }
  /** An instruction that this interpreter does not know. */
  | { readonly kind: 'undefined'; readonly bytes: Uint8Array }

const ZERO_FLAG = 0x40n
const CARRY_FLAG = 1n
const NAMES = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const

/** A processor in real mode that knows a handful of instructions: enough to print, count, poll a port and halt. */
export class Interpreter {
  readonly regs: Registers
  readonly sregs: SpecialRegisters
  readonly #bus: Bus

  constructor(regs: Registers, sregs: SpecialRegisters, bus: Bus) {
    this.regs = regs
    this.sregs = sregs
    this.#bus = bus
  }

  /** Puts what a port or a device answered where the instruction wanted it. */
  complete(data: Uint8Array): void {
    this.#setAccumulator(data.length, data[0]! | ((data[1] ?? 0) << 8))
  }

  /** Runs until the guest leaves its memory, or so many instructions were run. */
  run(most: number): Stop | undefined {
    for (let count = 0; count < most; count += 1) {
      const stop = this.#step()
      if (stop !== undefined) return stop
    }
    return undefined
  }

  get #code(): number {
    return Number(this.sregs.cs.base & 0xffff_ffffn)
  }

  get #ip(): number {
    return Number(this.regs.rip & 0xffffn)
  }

  #fetch(at: number): number {
    return this.#bus.read(this.#code + ((this.#ip + at) & 0xffff)) ?? 0xff
  }

  #word(at: number): number {
    return this.#fetch(at) | (this.#fetch(at + 1) << 8)
  }

  #advance(by: number): void {
    this.regs.rip = BigInt((this.#ip + by) & 0xffff)
  }

  #get(register: number): number {
    return Number(this.regs[NAMES[register]!] & 0xffffn)
  }

  #set(register: number, value: number): void {
    const name = NAMES[register]!
    this.regs[name] = (this.regs[name] & ~0xffffn) | BigInt(value & 0xffff)
  }

  #setByte(register: number, value: number): void {
    const old = this.#get(register & 3)
    const high = register >= 4
    this.#set(register & 3, high ? (old & 0xff) | ((value & 0xff) << 8) : (old & 0xff00) | (value & 0xff))
  }

  #setAccumulator(size: number, value: number): void {
    if (size === 1) this.#setByte(0, value)
    else this.#set(0, value)
  }

  #accumulator(size: number): Uint8Array {
    const value = this.#get(0)
    return size === 1 ? Uint8Array.of(value & 0xff) : Uint8Array.of(value & 0xff, value >> 8)
  }

  #flag(flag: bigint, on: boolean): void {
    this.regs.rflags = on ? this.regs.rflags | flag : this.regs.rflags & ~flag
  }

  #has(flag: bigint): boolean {
    return (this.regs.rflags & flag) !== 0n
  }

  #jump(length: number, taken: boolean): undefined {
    const by = (this.#fetch(length - 1) << 24) >> 24
    this.#advance(length + (taken ? by : 0))
    return undefined
  }

  #store(address: number, data: Uint8Array): Stop | undefined {
    const all = [...data].every((byte, index) => this.#bus.write(address + index, byte))
    return all ? undefined : { kind: 'mmio-write', address, data }
  }

  #load(address: number, size: number): Stop | undefined {
    const bytes = Array.from({ length: size }, (_, index) => this.#bus.read(address + index))
    if (bytes.some((byte) => byte === undefined)) return { kind: 'mmio-read', address, size }
    this.complete(Uint8Array.from(bytes as number[]))
    return undefined
  }

  #step(): Stop | undefined {
    const opcode = this.#fetch(0)
    const data = Number(this.sregs.ds.base & 0xffff_ffffn)
    if (opcode >= 0xb0 && opcode <= 0xb7) {
      this.#setByte(opcode - 0xb0, this.#fetch(1))
      return this.#next(2)
    }
    if (opcode >= 0xb8 && opcode <= 0xbf) {
      this.#set(opcode - 0xb8, this.#word(1))
      return this.#next(3)
    }
    if (opcode >= 0x40 && opcode <= 0x4f) {
      const register = opcode & 7
      this.#set(register, this.#get(register) + (opcode < 0x48 ? 1 : -1))
      this.#flag(ZERO_FLAG, this.#get(register) === 0)
      return this.#next(1)
    }
    const size = opcode & 1 ? 2 : 1
    switch (opcode) {
      case 0x04: // add al, imm8
      case 0x3c: {
        // cmp al, imm8
        const al = this.#get(0) & 0xff
        const sum = opcode === 0x04 ? al + this.#fetch(1) : al - this.#fetch(1)
        if (opcode === 0x04) this.#setByte(0, sum)
        this.#flag(ZERO_FLAG, (sum & 0xff) === 0)
        this.#flag(CARRY_FLAG, sum < 0 || sum > 0xff)
        return this.#next(2)
      }
      case 0x31: // xor ax, ax
        if (this.#fetch(1) !== 0xc0) break
        this.#set(0, 0)
        this.#flag(ZERO_FLAG, true)
        return this.#next(2)
      case 0x74: // jz
        return this.#jump(2, this.#has(ZERO_FLAG))
      case 0x75: // jnz
        return this.#jump(2, !this.#has(ZERO_FLAG))
      case 0x84: // test al, al
        if (this.#fetch(1) !== 0xc0) break
        this.#flag(ZERO_FLAG, (this.#get(0) & 0xff) === 0)
        return this.#next(2)
      case 0x90: // nop
      case 0xfa: // cli
      case 0xfb: // sti
        return this.#next(1)
      case 0xa0: // mov al, [imm16]
      case 0xa1: {
        const address = data + this.#word(1)
        this.#advance(3)
        return this.#load(address, size)
      }
      case 0xa2: // mov [imm16], al
      case 0xa3: {
        const address = data + this.#word(1)
        this.#advance(3)
        return this.#store(address, this.#accumulator(size))
      }
      case 0xac: {
        // lodsb
        const address = data + this.#get(6)
        this.#set(6, this.#get(6) + 1)
        this.#advance(1)
        return this.#load(address, 1)
      }
      case 0xe2: // loop
        this.#set(1, this.#get(1) - 1)
        return this.#jump(2, this.#get(1) !== 0)
      case 0xe4: // in al, imm8
      case 0xe5: {
        const port = this.#fetch(1)
        this.#advance(2)
        return { kind: 'in', port, size }
      }
      case 0xe6: // out imm8, al
      case 0xe7: {
        const port = this.#fetch(1)
        this.#advance(2)
        return { kind: 'out', port, data: this.#accumulator(size) }
      }
      case 0xeb: // jmp rel8
        return this.#jump(2, true)
      case 0xec: // in al, dx
      case 0xed:
        this.#advance(1)
        return { kind: 'in', port: this.#get(2), size }
      case 0xee: // out dx, al
      case 0xef:
        this.#advance(1)
        return { kind: 'out', port: this.#get(2), data: this.#accumulator(size) }
      case 0xf4:
        this.#advance(1)
        return { kind: 'hlt' }
    }
    return { kind: 'undefined', bytes: Uint8Array.from({ length: 15 }, (_, at) => this.#fetch(at)) }
  }

  #next(length: number): undefined {
    this.#advance(length)
    return undefined
  }
}
