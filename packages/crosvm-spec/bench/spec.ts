/**
 * Machines made, printed and parsed per second, against JSON of the same machine: `JSON.stringify` and
 * `JSON.parse` do neither checking nor quoting, so they are the least that any printer and parser could cost.
 */
import { type CrosvmMachine, crosvmSpec, parseArgv, printArgv } from '../src/index.js'

const machine: CrosvmMachine = {
  architecture: 'x86_64',
  boot: { kind: 'kernel', path: '/run/unit/kernel' },
  initrd: '/run/unit/initrd',
  params: ['panic=-1', 'quiet'],
  memoryMib: 512,
  cpus: { count: 2 },
  usb: false,
  rng: false,
  balloon: { kind: 'absent' },
  pmem: Array.from({ length: 24 }, (_, index) => ({
    path: `/var/cache/blobs/${index}, it's`,
    readOnly: true,
  })),
  serial: [
    { type: 'file', path: '/run/unit/console', hardware: 'virtio-console', num: 1, console: true },
    {
      type: 'unix-stream',
      path: '/run/unit/agent',
      hardware: 'virtio-console',
      num: 2,
      name: 'control',
      inputUnixStream: true,
    },
  ],
  vhostUser: [{ type: 'fs', socket: '/run/unit/view' }],
  sandbox: { kind: 'jailed', pivotRoot: '/var/empty' },
  socket: '/run/unit/crosvm',
  name: 'unit',
}

const spec = crosvmSpec(machine)._unsafeUnwrap()
const argv = printArgv(spec)
const json = JSON.stringify(machine)

/** Runs a second, in slices that keep the clock out of the figure; the best of five. */
function perSecond(run: () => void): number {
  let best = 0
  for (let round = 0; round < 5; round += 1) {
    const begun = performance.now()
    let runs = 0
    while (performance.now() - begun < 200) {
      for (let slice = 0; slice < 50; slice += 1) run()
      runs += 50
    }
    best = Math.max(best, (runs * 1000) / (performance.now() - begun))
  }
  return Math.round(best)
}

function report(name: string, ours: () => void, peer: () => void): void {
  // Alternating, so that whatever else the machine does meets both.
  const [first, other, second] = [perSecond(ours), perSecond(peer), perSecond(ours)]
  const best = Math.max(first, second)
  const ratio = Number((best / other).toFixed(4))
  console.log(
    JSON.stringify({ name, ours: best, peer: other, ratio, unit: 'machines/s', accelerator: 'none' }),
  )
}

report(
  'spec: check and print (peer: JSON.stringify)',
  () => printArgv(crosvmSpec(machine)._unsafeUnwrap()),
  () => JSON.stringify(machine),
)
report(
  'spec: print a checked one (peer: JSON.stringify)',
  () => printArgv(spec),
  () => JSON.stringify(machine),
)
report(
  'spec: parse and check (peer: JSON.parse)',
  () => parseArgv(argv, { architecture: 'x86_64' })._unsafeUnwrap(),
  () => JSON.parse(json),
)
