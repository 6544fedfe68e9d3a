import { defineConfig } from 'tsup'

// Its type is whole in our own declarations: programs that resolve as Node does cannot import a CommonJS default.
const typedEmitter = {
  resolve: ['typed-emitter'],
  footer: '// TypedEventEmitter: typed-emitter, MIT License, Copyright (c) 2018 Andy Wermke',
}

export default defineConfig({
  entry: ['src/index.ts', 'src/linux.ts', 'src/fake.ts', 'src/conformance.ts'],
  format: ['esm', 'cjs'],
  dts: typedEmitter,
  sourcemap: true,
  clean: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
})
