import { defineConfig } from 'tsup'

const subpaths = { index: 'src/index.ts', linux: 'src/linux.ts', view: 'src/view.ts' }

export default defineConfig({
  // The last is no subpath: it is the program that serves a view in a process of its own.
  entry: { ...subpaths, 'view-program': 'src/linux/view-program.ts' },
  format: ['esm', 'cjs'],
  dts: { entry: subpaths },
  sourcemap: true,
  clean: true,
  shims: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
})
