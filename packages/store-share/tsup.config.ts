import { defineConfig } from 'tsup'

// Its type is whole in our own declarations: programs that resolve as Node does cannot import a CommonJS default.
const typedEmitter = {
  resolve: ['typed-emitter'],
  footer: '// TypedEventEmitter: typed-emitter, MIT License, Copyright (c) 2018 Andy Wermke',
}

const subpaths = { index: 'src/index.ts', linux: 'src/linux.ts', view: 'src/view.ts' }

export default defineConfig({
  // The last is no subpath: it is the program that serves a view in a process of its own.
  entry: { ...subpaths, 'view-program': 'src/linux/view-program.ts' },
  format: ['esm', 'cjs'],
  dts: { entry: subpaths, ...typedEmitter },
  sourcemap: true,
  clean: true,
  shims: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
})
