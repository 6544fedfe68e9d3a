import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { x86_64 } from '../src/index.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const regenerated = () =>
  execFileSync(process.execPath, [here('../generate/generate.mjs'), 'x86_64', '--stdout']).toString()

/** `NAME: number` pairs of a generated text. */
function numbersOf(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^ {2}(KVM_\w+): (\w+),$/gm)].map(([, name, number]) => [name!, number!]))
}

describe('the generated tables', () => {
  test('say what the header of this machine says', () => {
    const committed = readFileSync(here('../src/generated/x86_64.ts'), 'utf8')
    const fresh = regenerated()
    if (fresh.includes(`headerVersion = '${x86_64.headerVersion}'`)) {
      expect(fresh).toBe(committed)
      return
    }
    // Another header may know more. What both know is the kernel's promise never to change.
    const there = numbersOf(fresh)
    const common = [...numbersOf(committed)].filter(([name]) => there.has(name))
    expect(common.length).toBeGreaterThan(500)
    expect(common.filter(([name, number]) => there.get(name) !== number && !/_(MAX|NR)/.test(name))).toEqual(
      [],
    )
  })

  test('hold every request of the header that has a structure on this architecture', () => {
    const header = readFileSync('/usr/include/linux/kvm.h', 'utf8')
    const requests = [...header.matchAll(/^#define\s+(KVM_\w+)\s+_IO[RW]*\(KVMIO/gm)].map(([, name]) => name!)
    const missing = requests.filter((name) => !(name in x86_64.ioctls))
    expect(requests.length).toBeGreaterThan(140)
    expect(
      missing.filter((name) => !/^KVM_(ARM|PPC|CREATE_SPAPR|ALLOCATE_RMA|RISCV|LOONGARCH)/.test(name)),
    ).toEqual([])
  })

  test('agree with numbers that are known from elsewhere', () => {
    expect(x86_64.ioctls).toMatchObject({
      KVM_RUN: 0xae80,
      KVM_GET_REGS: 0x8090ae81,
      KVM_GET_SREGS: 0x8138ae83,
    })
    expect(x86_64.layouts.kvm_run.size).toBe(2352)
    expect(x86_64.exitReasons.KVM_EXIT_HLT).toBe(5)
  })

  test('give each exit reason one name', () => {
    const numbers = Object.values(x86_64.exitReasons)
    expect(new Set(numbers).size).toBe(numbers.length)
  })
})
