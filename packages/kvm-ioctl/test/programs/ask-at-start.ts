import { setImmediate as nextTurn } from 'node:timers/promises'
import { openKvm } from '../../src/linux.js'
import { realModeGuest } from '../../src/real-mode-guest.js'

// Asks a vCPU without a pause while its thread goes into a guest that never exits: `ask-at-start ROUNDS`. A request that
// came between would be kept by the kernel as long as the guest runs, and with it this thread, which alone would kick.
const rounds = Number(process.argv[2])
const kvm = openKvm()._unsafeUnwrap()
using guest = realModeGuest(kvm, [0xeb, 0xfe])._unsafeUnwrap()
const answers = new Set<string>()
let next = guest.vcpu.ready
for (let round = 0; round < rounds; round += 1) {
  const run = guest.vcpu.runAsync(next)
  for (let asked = 1, answer = ''; answer !== 'running'; asked += 1) {
    const state = guest.vcpu.getMpState()
    answer = state.isOk() ? 'ok' : state.error.kind
    answers.add(answer)
    // Now and then a run begins in the event loop's next turn.
    if (asked % 1_000 === 0) await nextTurn()
  }
  guest.vcpu.kick()._unsafeUnwrap()
  const exit = (await run)._unsafeUnwrap()
  answers.add(exit.kind)
  if (exit.kind !== 'kicked') break
  next = exit.resume()
}
process.stdout.write([...answers].sort().join())
