#!/usr/bin/env node
// Runs the guest tests of this package in the lab, where the driver finds a KVM that works.
//
//     npm run lab:conformance [-- VITEST ARGUMENT…]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const lab = fileURLToPath(new URL('lab.mjs', import.meta.url))
const checkout = fileURLToPath(new URL('../../..', import.meta.url))

// Node itself rather than npx: under emulation npx alone takes twelve seconds to find vitest.
const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run', '--config', '.vitest.config.ts']
const tests = ['--project', 'guest', '--reporter', 'verbose', 'packages/unit-monitor/test/guest']

const child = spawn(
  process.execPath,
  [
    ...[lab, 'x86_64', '--timeout', '1800'],
    ...['--env', 'SPECTRUM_ACCELERATOR=kvm', '--env', 'SPECTRUM_TIME_SCALE=10'],
    ...['--', ...vitest, ...tests, ...process.argv.slice(2)],
  ],
  { cwd: checkout, stdio: 'inherit' },
)
// The terminal has signalled the lab too; it ends, and then so does this.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
const [code] = await once(child, 'exit')
process.exitCode = code ?? 125
