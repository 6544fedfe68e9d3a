import { availableParallelism } from 'node:os'
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

// Loading a package for each file of its tests takes longer than the tests, so most of them share a process. Whoever
// counts what the process holds, or takes hold of it (its environment, its console, its collector), has one to itself.
const together = [
  'examples/*/test/!(server).test.ts',
  'packages/cli/test/!(examples|fetch-kernel|lint-rule|setup).test.ts',
  'packages/crosvm-spec/test/!(control-client|fake-executable|readme|spawn).test.ts',
  'packages/guest-agent/test/!(agent|interrupted-files|linux).test.ts',
  'packages/kvm-ioctl/test/{generated-coverage,patience}.test.ts',
  'packages/store-share/test/!(blob-cache|command).test.ts',
  'packages/store-share/test/{cache,nix,sources,trust}/!(database|decompress).test.ts',
  'packages/unit-graph/test/**/*.test.ts',
  'packages/unit-monitor/test/!(crosvm-faults|linux|qemu-faults).test.ts',
  'packages/unit-runtime/test/**/!(collect|host|journal).test.ts',
  'packages/wayland-proxy/test/!(objects|security-context|transport|unit-display).test.ts',
  'packages/wayland-proxy/test/{frame,policy,rules}/*.test.ts',
]
const slow = ['**/node_modules/**', '**/test/guest/**', '**/test/long/**']
// Vitest would leave one processor of two idle, and a third of what both could do, because tests wait. The time guards
// against a hang, on a busy machine too; how fast anything is, benchmarks say.
const fast = { maxWorkers: availableParallelism() + 1, testTimeout: 60_000 }

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
          exclude: [...slow, ...together],
        },
      },
      {
        extends: true,
        test: {
          ...fast,
          name: 'fast-together',
          include: together,
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
          // Within a file, tests that have nothing in common may boot their machines side by side: one emulated
          // processor for each of two.
          maxConcurrency: 2,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        // What the pages say, held against the sources. It says the same on every Node, so it is run on one.
        extends: true,
        test: {
          name: 'documentation',
          maxWorkers: '100%',
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
