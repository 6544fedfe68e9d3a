import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import * as aarch64 from '../../src/generated/aarch64.js'
import type { StructureField } from '../../src/generated/layout.js'
import * as powerpc64le from '../../src/generated/powerpc64le.js'
import * as riscv64 from '../../src/generated/riscv64.js'
import * as x86_64 from '../../src/generated/x86_64.js'

// Compilers take their time, and say the same on every Node.
const tables = { x86_64, aarch64, powerpc64le, riscv64 }
type Architecture = keyof typeof tables
const architectures = Object.keys(tables) as Architecture[]

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const run = (script: string, argv: readonly string[], input?: string) =>
  execFileSync(process.execPath, [here(`../../generate/${script}`), ...argv], {
    encoding: 'utf8',
    timeout: 100_000,
    killSignal: 'SIGKILL',
    ...(input !== undefined && { input }),
  })

/** Every request that linux/kvm.h defines, with the structure it names. */
function requestsOfHeader(): [name: string, argument: string | undefined][] {
  const header = readFileSync(`${run('headers.mjs', []).trim()}/linux/kvm.h`, 'utf8').replaceAll('\\\n', ' ')
  const definitions = header.matchAll(
    /^#define\s+(KVM_\w+)\s+_IO[RW]*\(KVMIO,\s*\w+(?:,\s*(?:struct (\w+)|[\w ]+))?\)/gm,
  )
  return [...definitions].map(([, name, structure]) => [name!, structure])
}

/** `NAME: number` pairs of a generated text. */
const numbersOf = (text: string) =>
  new Map([...text.matchAll(/\b(KVM_\w+): (-?\w+)[,\n]/g)].map(([, name, number]) => [name!, number!]))

describe.each(architectures)('the generated tables for %s', (architecture) => {
  const { headerVersion, ioctls, ioctlArguments, structures, layouts, exitReasons } = tables[architecture]

  test('say what the pinned header says', () => {
    const committed = readFileSync(here(`../../src/generated/${architecture}.ts`), 'utf8')
    const fresh = run('generate.mjs', [architecture, '--stdout'])
    if (fresh.includes(`headerVersion = '${headerVersion}'`)) {
      expect(fresh).toBe(committed)
      return
    }
    // Debian no longer has the pinned header. What a newer one shares with it is the kernel's promise.
    const there = numbersOf(fresh)
    const shared = [...numbersOf(committed)].filter(([name]) => there.has(name))
    expect(shared.length).toBeGreaterThan(500)
    expect(shared.filter(([name, number]) => there.get(name) !== number && !/_(MAX|NR)/.test(name))).toEqual(
      [],
    )
  })

  test('are borne out by the compiler, each size and offset', () => {
    const asserted = Number(run('check.mjs', [architecture], JSON.stringify(layouts)))
    expect(asserted).toBeGreaterThan(900)
  })

  test('hold structures as large as the requests that carry them say', () => {
    const sizeMask = architecture === 'powerpc64le' ? 0x1fff : 0x3fff
    const carried = Object.entries(ioctlArguments).filter(([, argument]) => argument in structures)
    expect(carried.length).toBeGreaterThan(40)
    for (const [name, argument] of carried) {
      const number = ioctls[name as keyof typeof ioctls] as number
      const { size } = structures[argument as keyof typeof structures]
      expect([name, (number >>> 16) & sizeMask]).toEqual([name, size])
    }
  })

  test('hold every request of the header but those whose structure is that of another architecture', () => {
    const requests = requestsOfHeader()
    expect(requests.length).toBeGreaterThan(140)
    const expected = requests.filter(([, argument]) => argument === undefined || argument in structures)
    expect(expected.length).toBeGreaterThan(80)
    const missing = expected.filter(([name]) => !(name in ioctls))
    expect(missing).toEqual([])
  })

  test('give each exit reason one name', () => {
    const numbers = Object.values(exitReasons)
    expect(numbers.length).toBeGreaterThan(38)
    expect(new Set(numbers).size).toBe(numbers.length)
  })

  test('let no field reach over the end of its structure, and none but those of unions over another', () => {
    for (const [name, { size, fields }] of Object.entries(structures)) {
      const parts: [string, StructureField][] = Object.entries(fields)
      let end = 0
      for (const [field, { offset, size: length, type }] of parts) {
        // Bit fields share their bytes; the next field begins after the last of them.
        expect([name, field, offset >= end || type === 'bits']).toEqual([name, field, true])
        end = offset + (type === 'bits' ? 0 : length)
      }
      expect([name, end <= size]).toEqual([name, true])
    }
  })
})

test('numbers of one request differ between architectures where the kernel has them differ', () => {
  expect(x86_64.ioctls).toMatchObject({ KVM_RUN: 0xae80, KVM_GET_REGS: 0x8090ae81 })
  expect(powerpc64le.ioctls).toMatchObject({ KVM_RUN: 0x2000ae80, KVM_GET_REGS: 0x4188ae81 })
  expect(x86_64.layouts.kvm_run.size).toBe(2352)
  expect(powerpc64le.layouts.kvm_sregs.size).toBe(1232)
  expect(x86_64.exitReasons.KVM_EXIT_HLT).toBe(5)
})

test('register ids follow from the tables', () => {
  const { constants, fieldRegisters, families, layouts } = aarch64
  const { structure, unit } = fieldRegisters.KVM_REG_ARM_CORE_REG
  const index = BigInt(layouts[structure].fields['regs.pc'].offset / unit)
  const pc = constants.KVM_REG_ARM64 | constants.KVM_REG_SIZE_U64 | constants.KVM_REG_ARM_CORE | index
  expect(pc).toBe(0x6030_0000_0010_0040n)
  // CNTVCT_EL0 is op0 3, op1 3, CRn 14, CRm 3, op2 2 … and KVM's header has a name for that one.
  const { base, steps } = families.__ARM64_SYS_REG
  const id = [3, 3, 14, 3, 2].reduce<bigint>((sum, n, at) => sum + BigInt(n) * steps[at]!, base)
  expect(id | constants.KVM_REG_SIZE_U64).toBe(constants.KVM_REG_ARM_TIMER_CNT)
  expect(powerpc64le.families.KVM_REG_PPC_VSR).toEqual({
    base: powerpc64le.constants.KVM_REG_PPC_VSR0,
    steps: [1n],
  })
})
