import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    control: 'src/control.ts',
    fake: 'src/fake.ts',
    'fake-crosvm': 'src/linux/fake-crosvm.ts',
    grammar: 'src/grammar.ts',
    linux: 'src/linux.ts',
    spawn: 'src/spawn.ts',
  },
  format: ['esm', 'cjs'],
  dts: true,
  sourcemap: true,
  clean: true,
  shims: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
})
