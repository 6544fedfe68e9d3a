import { type RealModeGuest, realModeGuest } from '@spectrum/kvm-ioctl'
import { openKvm } from '@spectrum/kvm-ioctl/linux'

/** `mov al, 42; again: out 0x10, al; jmp again`: as the C program's. */
export const CODE = [0xb0, 0x2a, 0xe6, 0x10, 0xeb, 0xfc]

export function openGuest(code: readonly number[]): RealModeGuest {
  return realModeGuest(openKvm()._unsafeUnwrap(), code)._unsafeUnwrap()
}

/** Nanoseconds for each of `count` exits, in this thread. */
export function exitsHere({ vcpu }: RealModeGuest, count: number): number {
  let sum = 0
  let next = vcpu.ready
  const start = process.hrtime.bigint()
  for (let exits = 0; exits < count; exits += 1) {
    const exit = vcpu.run(next)._unsafeUnwrap()
    if (exit.kind !== 'io-out' || exit.port !== 0x10) throw new Error(`unexpected exit: ${exit.kind}`)
    sum += exit.data[0]!
    next = exit.resume()
  }
  const took = Number(process.hrtime.bigint() - start)
  if (sum !== 42 * count) throw new Error('the guest wrote something else')
  return took / count
}

/** The same through the loop on a thread of the vCPU's own. */
export async function exitsThroughLoop({ vcpu }: RealModeGuest, count: number): Promise<number> {
  let [exits, sum] = [0, 0]
  const start = process.hrtime.bigint()
  const ended = await vcpu.loop((exit) => {
    if (exit.kind !== 'io-out') return undefined
    sum += exit.data[0]!
    exits += 1
    return exits < count ? exit.resume() : undefined
  })
  const took = Number(process.hrtime.bigint() - start)
  ended._unsafeUnwrap()
  if (sum !== 42 * count) throw new Error('the guest wrote something else')
  return took / count
}
