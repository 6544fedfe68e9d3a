import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { crossBuildAddon } from './lab/run-in-lab.js'

test('the addon compiles for riscv64 (test/long runs it there)', () => {
  const addon = crossBuildAddon('riscv64', 'riscv64-linux-gnu-gcc')
  const header = execFileSync('readelf', ['-h', addon], { encoding: 'utf8', env: { LC_ALL: 'C' } })
  expect(header).toMatch(/Machine:\s+RISC-V/)
  expect(header).toMatch(/Type:\s+DYN/)
  const symbols = execFileSync('readelf', ['--dyn-syms', '--wide', addon], { encoding: 'utf8' })
  expect(symbols).toContain('napi_register_module_v1')
})
