import { performance } from 'node:perf_hooks'
import { openKvm } from '../../src/linux.js'
import { realModeGuest } from '../../src/real-mode-guest.js'

// Handles exits through the loop, and prints how many, how many turns the event loop took for it, and which part of the
// time some thread of this program had a processor: `turns-of-a-loop EXITS`.
const most = Number(process.argv[2])
const kvm = openKvm()._unsafeUnwrap()
/** `out 0x10, al`, for ever. */
using guest = realModeGuest(kvm, [0xe6, 0x10, 0xeb, 0xfc])._unsafeUnwrap()
const turns = () => performance.nodeTiming.uvMetricsInfo.loopCount
const before = turns()
const [began, used] = [performance.now(), process.cpuUsage()]
let exits = 0
const ended = await guest.vcpu.loop((exit) => {
  if (exit.kind !== 'io-out') return undefined
  exits += 1
  return exits < most ? exit.resume() : undefined
})
ended._unsafeUnwrap()
const { user, system } = process.cpuUsage(used)
const share = (user + system) / 1000 / (performance.now() - began)
process.stdout.write(`${exits} ${turns() - before} ${share}`)
