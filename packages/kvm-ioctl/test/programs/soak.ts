import { readdirSync, readFileSync } from 'node:fs'
import { liveObjects } from '../../src/index.js'
import { openKvm } from '../../src/linux.js'
import { realModeGuest } from '../../src/real-mode-guest.js'

// Creates, runs and destroys a machine so many times, half of them on a thread of its own, and says what is left:
// `soak ROUNDS`. One JSON line.
const rounds = Number(process.argv[2])
const kvm = openKvm()._unsafeUnwrap()

interface Holdings {
  readonly descriptors: number
  readonly threads: number
  readonly mappings: number
  readonly residentKib: number
}

function holdings(): Holdings {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1])
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: field('Threads'),
    mappings: readFileSync('/proc/self/maps', 'utf8').split('\n').length,
    residentKib: field('VmRSS'),
  }
}

async function once(round: number): Promise<void> {
  using guest = realModeGuest(kvm, [0xe6, 0x80, 0xf4])._unsafeUnwrap()
  // All of its memory is touched: what is not given back is seen.
  guest.memory.bytes._unsafeUnwrap().fill(round, 0x2000)
  if (round % 2 === 0) {
    const exits = [guest.vcpu.run(), guest.vcpu.run()].map((exit) => exit._unsafeUnwrap().kind)
    if (exits.join() !== 'io-out,hlt') throw new Error(`round ${round}: ${exits}`)
    return
  }
  let kinds = ''
  const ended = await guest.vcpu.loop((exit) => {
    kinds += `${exit.kind} `
    return exit.kind === 'io-out' ? exit.resume() : undefined
  })
  if (ended.isErr() || kinds !== 'io-out hlt ') throw new Error(`round ${round}: ${kinds}`)
  // Every fourth is closed by the guest's owner while it runs again.
  if (round % 4 === 3) {
    guest.restart()._unsafeUnwrap()
    void guest.vcpu.loop((exit) => ('resume' in exit ? exit.resume() : undefined))
  }
}

const settle = async () => {
  for (let turn = 0; turn < 3; turn += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const warm = Math.max(50, rounds >> 3)
for (let round = 0; round < warm; round += 1) await once(round)
await settle()
const before = holdings()
for (let round = 0; round < rounds; round += 1) {
  await once(round)
  if (round % 500 === 499) await settle()
}
await settle()
console.log(JSON.stringify({ rounds, before, after: holdings(), objects: liveObjects() }))
kvm.close()
