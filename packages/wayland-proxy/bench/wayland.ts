import { backlog, type Flood, type Memory, median } from './flood/backlog.js'
import { Flooder } from './flood/flooder.js'
import { quantile, type Sample, sample } from './flood/sample.js'
import { Ways } from './flood/ways.js'

// What the way through the proxy costs, with its full default policy on: against no proxy, against waypipe 0.8, both
// ends on this machine and without compression, and against a C program that only passes on what it gets. What that
// one costs above a direct connection is the price of any process in between: the floor. One compositor (headless
// weston), one client, four ways, interleaved; medians. The policy draws frames. What readers cost that do not read is
// measured at a compositor that floods.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const FLOODED_ROUNDS = 3
const json = process.argv.includes('--json')

const FIGURES = [
  ['sync round trip, p50', 'syncP50', 'us'],
  ['sync round trip, p99', 'syncP99', 'us'],
  ['flood of damage and commit', 'flood', 'requests/s'],
  ['objects made and destroyed', 'churn', 'requests/s'],
  ['pools made over descriptors and destroyed', 'descriptors', 'requests/s'],
  ['round trip beside a flood and 50 idle clients, p50', 'loadedP50', 'us'],
  ['round trip beside a flood and 50 idle clients, p99', 'loadedP99', 'us'],
  ['first window of weston-simple-shm', 'window', 'ms'],
] as const

/** What the processes between a client and the compositor work for each; there are none on the direct way. */
const WORK = [
  ['processor time of a sync round trip', 'syncWork'],
  ['processor time of a request in a flood', 'floodWork'],
  ['processor time of a request that makes or destroys', 'churnWork'],
  ['processor time of a request with a descriptor', 'descriptorsWork'],
] as const

const FLOODS: readonly (readonly [string, Flood])[] = [
  ['motions', 'motion'],
  ['what must not be merged', 'modifiers'],
]

function print(name: string, own: number, other: number, unit: string, places = 0): void {
  const rounded = (value: number, digits: number) => Math.round(value * 10 ** digits) / 10 ** digits
  const figure = {
    name,
    ours: rounded(own, places),
    peer: rounded(other, places),
    ratio: rounded(own / other, 2),
    unit,
    accelerator: 'none',
  }
  const { ours, peer, ratio } = figure
  console.log(json ? JSON.stringify(figure) : `${name.padEnd(80)} ${ours} to ${peer} ${unit}: ${ratio}`)
}

async function measureWays(ways: Ways): Promise<void> {
  const compositor = 'wayland-1'
  const all = {
    direct: await ways.weston(compositor),
    ours: await ways.ours('ours', compositor),
    waypipe: await ways.waypipe('wayland-2', compositor),
    forwarder: await ways.forwarder('forwarded', compositor),
  }
  type Name = keyof typeof all
  const names = Object.keys(all) as Name[]
  const samples: Record<Name, Sample[]> = { direct: [], ours: [], waypipe: [], forwarder: [] }
  for (const name of names) await sample(ways, all[name])
  for (let round = 0; round < ROUNDS; round++) {
    // Who goes first changes, so that none always finds the machine as another left it.
    const first = round % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)])
      samples[name].push(await sample(ways, all[name]))
  }
  const middle = (name: Name, key: keyof Sample) =>
    quantile(
      samples[name].map((one) => one[key]),
      0.5,
    )
  for (const [title, key, unit] of FIGURES) {
    const of = (name: Name) => middle(name, key)
    for (const peer of ['direct', 'waypipe'] as const)
      print(`${title}, against ${peer}`, of('ours'), of(peer), unit)
    print(`${title}, against the floor`, of('ours'), of('forwarder'), unit)
    print(`${title}, floor: C forwarder against direct`, of('forwarder'), of('direct'), unit)
  }
  for (const [title, key] of WORK) {
    print(`${title}, against waypipe`, middle('ours', key), middle('waypipe', key), 'ns')
    print(`${title}, against the floor`, middle('ours', key), middle('forwarder', key), 'ns')
  }
}

async function measureBacklogs(ways: Ways): Promise<void> {
  using _flooder = new Flooder(ways.socket('flood'))
  for (const [title, flood] of FLOODS) {
    const found = { ours: [] as Memory[], waypipe: [] as Memory[] }
    for (let round = 0; round < FLOODED_ROUNDS; round++) {
      // Of processes that have seen no flood before, each time.
      const own = await ways.ours(`${flood}-${round}`, 'flood')
      found.ours.push(await backlog(own, flood))
      const theirs = await ways.waypipe(`wayland-${flood}-${round}`, 'flood')
      found.waypipe.push(await backlog(theirs, flood))
      for (const { processes } of [own, theirs]) for (const one of processes) one.kill()
    }
    for (const [what, key] of [
      [`for a reader that does not read ${title}, the first beside one that reads`, 'first'],
      [`for a reader that does not read ${title}, each further`, 'further'],
      [`for a reader that reads ${title}, the first of a process`, 'reading'],
    ] as const) {
      const [own, other] = [median(found.ours, key), median(found.waypipe, key)]
      print(`memory ${what}, against waypipe`, own, other, 'MiB', 2)
    }
    if (flood === 'motion')
      print(
        'memory of the processes without a client, against waypipe',
        median(found.ours, 'idle'),
        median(found.waypipe, 'idle'),
        'MiB',
        1,
      )
  }
}

const ways = new Ways()
try {
  await measureWays(ways)
  await measureBacklogs(ways)
} finally {
  ways[Symbol.dispose]()
}
// Sockets of clients that were left behind hold the program.
process.exit(0)
