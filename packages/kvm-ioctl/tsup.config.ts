import { defineConfig } from 'tsup'

export default defineConfig({
  // The last is no subpath: it is the program that the probe starts as a process of its own.
  entry: {
    index: 'src/index.ts',
    linux: 'src/linux.ts',
    fake: 'src/fake.ts',
    conformance: 'src/conformance.ts',
    'probe-process': 'src/linux/probe-process.ts',
  },
  format: ['esm', 'cjs'],
  dts: {
    entry: {
      index: 'src/index.ts',
      linux: 'src/linux.ts',
      fake: 'src/fake.ts',
      conformance: 'src/conformance.ts',
    },
  },
  sourcemap: true,
  clean: true,
  shims: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
})
