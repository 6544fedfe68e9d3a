import { defineConfig } from 'tsup'

const shared = {
  sourcemap: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
} as const

export default defineConfig([
  {
    ...shared,
    entry: ['src/index.ts', 'src/control.ts', 'src/fake.ts', 'src/grammar.ts', 'src/linux.ts'],
    format: ['esm', 'cjs'],
    dts: true,
    clean: true,
  },
  // An executable waits at its top level, which only a module can.
  {
    ...shared,
    entry: { 'fake-crosvm': 'src/linux/fake-crosvm.ts' },
    format: ['esm'],
    banner: { js: '#!/usr/bin/env node' },
  },
])
