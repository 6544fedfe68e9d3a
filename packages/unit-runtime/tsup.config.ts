import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts', 'src/linux.ts', 'src/fake.ts', 'src/control.ts', 'src/display.ts'],
  format: ['esm', 'cjs'],
  dts: true,
  sourcemap: true,
  clean: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
})
