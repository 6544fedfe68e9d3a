import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts', 'src/linux.ts', 'src/bin.ts'],
  format: ['esm', 'cjs'],
  dts: true,
  sourcemap: true,
  clean: true,
  shims: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
})
