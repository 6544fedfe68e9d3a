import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { crossBuildAddon } from './lab/run-in-lab.js'

test('the addon compiles for riscv64 (test/long runs it there)', () => {
  const addon = crossBuildAddon('riscv64', 'riscv64-linux-gnu-gcc')
  const options = { encoding: 'utf8', env: { LC_ALL: 'C' }, timeout: 100_000, killSignal: 'SIGKILL' } as const
  const header = execFileSync('readelf', ['-h', addon], options)
  expect(header).toMatch(/Machine:\s+RISC-V/)
  expect(header).toMatch(/Type:\s+DYN/)
  const symbols = execFileSync('readelf', ['--dyn-syms', '--wide', addon], options)
  expect(symbols).toContain('napi_register_module_v1')
})
