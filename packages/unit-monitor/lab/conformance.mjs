#!/usr/bin/env node
// Runs the guest tests of this package in the lab, where the driver finds a KVM that works.
//
//     node packages/unit-monitor/lab/conformance.mjs [TEST FILE OR VITEST OPTION…]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const lab = fileURLToPath(new URL('lab.mjs', import.meta.url))
const checkout = fileURLToPath(new URL('../../..', import.meta.url))

// Node itself rather than npx: under emulation npx alone takes twelve seconds to find vitest.
const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run', '--config', '.vitest.config.ts']
const asked = process.argv.slice(2)
// The lab passes on what is SPECTRUM_*; without this the tests of crosvm's driver would skip themselves.
const { CROSVM: crosvm = '' } = process.env
const tests = asked.length > 0 ? asked : ['packages/unit-monitor/test/guest']

const child = spawn(
  process.execPath,
  [
    ...[lab, 'x86_64', '--timeout', '1800'],
    ...['--env', 'SPECTRUM_ACCELERATOR=kvm'],
    ...(crosvm === '' ? [] : ['--env', `CROSVM=${crosvm}`]),
    ...['--', ...vitest, '--project', 'guest', '--reporter', 'verbose', ...tests],
  ],
  { cwd: checkout, stdio: 'inherit' },
)
// The terminal has signalled the lab too; it ends, and then so does this.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
const [code] = await once(child, 'exit')
process.exitCode = code ?? 125
