import { describe, expect, test } from 'vitest'
import { type Architecture, tablesOf, x86_64 } from '../src/index.js'
import { decodedReasons, decoderFor } from '../src/running/decode.js'
import { type Resumption, Turn } from '../src/running/resumption.js'
import { overBytes } from '../src/structures/accessors.js'

const ARCHITECTURES: readonly Architecture[] = ['x86_64', 'aarch64', 'powerpc64le', 'riscv64']

type Answering = { kind: string; answer(...given: unknown[]): Resumption }

/** A vCPU's shared page whose last exit is of this reason, as a decoder meets it. */
function exitOf(architecture: Architecture, reason: number, fields: (run: never) => void = () => undefined) {
  const tables = tablesOf(architecture)
  const bytes = new Uint8Array(12_288)
  const run = overBytes(tables.structures['kvm_run']!, bytes) as { exit_reason: number }
  run.exit_reason = reason
  fields(run as never)
  const turn = new Turn()
  const page = new DataView(bytes.buffer)
  turn.page = page
  const exit = decoderFor(tables)(turn, page) as unknown as Answering
  return { exit, turn, run, bytes }
}

describe.each(ARCHITECTURES)('exits on %s', (architecture) => {
  const tables = tablesOf(architecture)

  test('have a kind for each reason that the header names', () => {
    const decoded = decodedReasons(tables)
    const missing = Object.entries(tables.exitReasons).filter(([, number]) => !decoded.has(number))
    expect(missing).toEqual([])
    for (const reason of Object.values(tables.exitReasons))
      expect(exitOf(architecture, reason).exit.kind).not.toBe('other')
    expect(exitOf(architecture, 9_999).exit).toMatchObject({ kind: 'other', reason: 9_999 })
  })

  test('go on with what they give, and with no answer to another exit', () => {
    for (const reason of Object.values(tables.exitReasons)) {
      const { exit, turn } = exitOf(architecture, reason)
      const asks = 'answer' in exit
      expect(turn.obstacle(turn.go)?.kind).toBe(asks ? 'answer-owed' : undefined)
      turn.number += 1
      if (asks) expect(turn.obstacle(exit.answer())?.kind).toBe('stale')
      expect(turn.obstacle({} as Resumption)?.kind).toBe('invalid-argument')
    }
  })
})

describe('answers', () => {
  const { exitReasons } = x86_64

  test('of a hypercall stand where the kernel looks, and only when they fit', () => {
    const { exit, turn, run } = exitOf('x86_64', exitReasons.KVM_EXIT_HYPERCALL)
    for (const wrong of [undefined, 1, -1n, 1n << 64n])
      expect(turn.obstacle(exit.answer(wrong))?.kind).toBe('invalid-argument')
    expect(turn.obstacle(exit.answer(77n))).toBe(undefined)
    expect((run as unknown as { hypercall: { ret: bigint } }).hypercall.ret).toBe(77n)
    expect(turn.obstacle(exit.answer(78n))?.kind).toBe('stale')
  })

  test('of a PAPR hcall carry its nine registers', () => {
    const { exit, turn, run } = exitOf('powerpc64le', exitReasons.KVM_EXIT_PAPR_HCALL, (page) => {
      ;(page as { papr_hcall: { nr: bigint } }).papr_hcall.nr = 0x58n
    })
    expect(exit).toMatchObject({ kind: 'papr-hcall', nr: 0x58n })
    expect(turn.obstacle(exit.answer(0n, Array(10).fill(1n)))?.kind).toBe('invalid-argument')
    expect(turn.obstacle(exit.answer(0n, [5n, 6n]))).toBe(undefined)
    const { papr_hcall } = run as unknown as { papr_hcall: { ret: bigint; args: BigUint64Array } }
    expect([papr_hcall.ret, papr_hcall.args[0], papr_hcall.args[1]]).toEqual([0n, 5n, 6n])
  })

  test('of an SBI call and a CSR stand in their places', () => {
    const sbi = exitOf('riscv64', exitReasons.KVM_EXIT_RISCV_SBI)
    expect(sbi.turn.obstacle(sbi.exit.answer(1n, 2n))).toBe(undefined)
    const { riscv_sbi } = sbi.run as unknown as { riscv_sbi: { ret: BigUint64Array } }
    expect([...riscv_sbi.ret]).toEqual([1n, 2n])
    const csr = exitOf('riscv64', exitReasons.KVM_EXIT_RISCV_CSR)
    expect(csr.turn.obstacle(csr.exit.answer(3n))).toBe(undefined)
  })

  test('of MSRs say whether the guest faults', () => {
    const read = exitOf('x86_64', exitReasons.KVM_EXIT_X86_RDMSR)
    const { msr } = read.run as unknown as { msr: { error: number; data: bigint } }
    expect(read.turn.obstacle(read.exit.answer(undefined))).toBe(undefined)
    expect(msr.error).toBe(1)
    const write = exitOf('x86_64', exitReasons.KVM_EXIT_X86_WRMSR)
    const there = (write.run as unknown as { msr: { error: number } }).msr
    expect(write.turn.obstacle(write.exit.answer(true))).toBe(undefined)
    expect(there.error).toBe(0)
  })

  test('are refused once the vCPU is closed', () => {
    const { exit, turn } = exitOf('x86_64', exitReasons.KVM_EXIT_HYPERCALL)
    turn.page = undefined
    expect(turn.obstacle(exit.answer(1n))?.kind).toBe('closed')
  })
})
