import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const packages = fileURLToPath(new URL('./packages/', import.meta.url))

// Tests import the packages by name and get their sources, so a test never runs against a stale build.
const alias = [
  { find: /^@spectrum\/([^/]+)$/, replacement: `${packages}$1/src/index.ts` },
  {
    find: /^@spectrum\/([^/]+)\/([^/]+)$/,
    replacement: `${packages}$1/src/$2.ts`,
  },
]

// Loading a package for each file of its tests takes longer than the tests, so those that run on fakes share a process.
// Whoever counts what the process holds, or takes hold of it, has one to itself.
const onFakes = [
  'packages/unit-graph/test/**/*.test.ts',
  'packages/unit-runtime/test/**/!(collect|host|journal).test.ts',
]
const slow = ['**/node_modules/**', '**/test/guest/**', '**/test/long/**']
// Vitest would leave one processor of two idle. The time guards against a hang, on a busy machine too; how fast
// anything is, benchmarks say.
const fast = { maxWorkers: '100%', testTimeout: 60_000 }

export default defineConfig({
  resolve: { alias },
  test: {
    reporters: ['default'],
    passWithNoTests: false,
    // How long a test waits for something to become true, on a busy machine too.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          ...fast,
          name: 'fast',
          include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
          exclude: [...slow, ...onFakes],
        },
      },
      {
        extends: true,
        test: {
          ...fast,
          name: 'fast-on-fakes',
          include: onFakes,
          exclude: slow,
          isolate: false,
        },
      },
      {
        // Tests that boot a virtual machine or drive nix: one file at a time, because two emulated
        // machines on two cores would measure each other.
        extends: true,
        test: {
          name: 'guest',
          include: [
            'packages/*/test/guest/**/*.test.ts',
            'examples/*/test/guest/**/*.test.ts',
            'packages/*/lab/test/**/*.test.mjs',
          ],
          exclude: ['**/node_modules/**'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        // What the pages say, held against the sources. It says the same on every Node, so it is run on one.
        extends: true,
        test: {
          name: 'documentation',
          include: ['docs/test/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        // What takes minutes, or needs a part that not every machine can have: `npm run test:long -- FILE`.
        extends: true,
        test: {
          name: 'long',
          include: [
            'packages/*/test/long/**/*.test.ts',
            'examples/*/test/long/**/*.test.ts',
            'docs/test/long/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**'],
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
