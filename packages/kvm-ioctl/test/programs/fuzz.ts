import { x86_64 as kvmTables } from '../../src/index.js'
import { openKvm } from '../../src/linux.js'
import { realModeGuest } from '../../src/real-mode-guest.js'

// Calls every method with arguments of every kind for so many seconds: `fuzz SECONDS SEED`. Each has to answer with a
// Result; nothing may be thrown, and the process has to live. Run under AddressSanitizer.
const [seconds, seed] = process.argv.slice(2).map(Number) as [number, number]

/** xorshift32: the same seed makes the same calls. */
let state = seed | 1
function random(below: number): number {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!

const kvm = openKvm()._unsafeUnwrap()
const make = () => realModeGuest(kvm, [0xf4])._unsafeUnwrap()
let guest = make()

const NAMES =
  'slot flags guestAddress memory offset length readOnly fd gsi address datamatch pio base count bitmap id data size cap args group attr control arch rip rax nr index entries type u irq level'.split(
    ' ',
  )

const scalar = (): unknown =>
  pick<() => unknown>([
    () => undefined,
    () => null,
    () => true,
    () => random(4),
    () => random(2 ** 31) * pick([1, -1, 0.5, 2, 4096]),
    () => Number.NaN,
    () => Number.POSITIVE_INFINITY,
    () => 2 ** 53,
    () => BigInt(random(2 ** 31)) << BigInt(random(40)),
    () => -1n,
    () => 1n << 64n,
    () => 'KVM_CAP_SYNC_REGS',
    () => pick(Object.keys(kvmTables.ioctls)),
    () => Symbol('x') as unknown,
    () => new Uint8Array(pick([0, 1, 8, 16, 64, 144, 312, 4096, 70_000])).fill(random(256)),
    () => new BigUint64Array(4),
    () => guest.memory,
    () => ({ number: pick([-1, 0, 3, 99_999, 1.5]) }),
    () => () => undefined,
  ])()
const value = (depth = 0): unknown => {
  if (depth > 2 || random(3) > 0) return scalar()
  if (random(2) === 0) return Array.from({ length: random(5) }, () => value(depth + 1))
  return Object.fromEntries(Array.from({ length: random(6) }, () => [pick(NAMES), value(depth + 1)]))
}

/** Those that end what the others need, that wait for a guest, or whose handles nobody would close. */
const LEFT_OUT = new Set(['constructor', 'close', 'run', 'loop', 'runAsync', 'share', 'onClose', 'put'])

function methodsOf(object: object): string[] {
  const names = new Set<string>()
  for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (typeof property.value === 'function' && !LEFT_OUT.has(name)) names.add(name)
  }
  return [...names].sort()
}

let calls = 0
const end = Date.now() + seconds * 1000
const problems = new Map<string, string>()
while (Date.now() < end) {
  if (calls % 500 === 0) {
    guest[Symbol.dispose]()
    guest = make()
  }
  const stats = random(50) === 0 ? guest.vm.getStatsFd()._unsafeUnwrap() : undefined
  const object = pick<object>([
    kvm,
    guest.vm,
    guest.vm,
    guest.vcpu,
    guest.vcpu,
    guest.memory,
    stats ?? guest.vm,
  ])
  const name = pick(methodsOf(object))
  const given = Array.from({ length: random(5) }, () => value())
  calls += 1
  try {
    const answer = (object as Record<string, (...given: unknown[]) => unknown>)[name]!(...given)
    const isResult = typeof (answer as { isOk?: unknown } | undefined)?.isOk === 'function'
    if (!isResult) problems.set(name, `${name} answered ${String(answer)}`)
    else {
      const made = (answer as { unwrapOr(otherwise: unknown): unknown }).unwrapOr(undefined) as
        | object
        | undefined
      if (typeof made === 'object' && made !== null && Symbol.dispose in made)
        (made as Disposable)[Symbol.dispose]()
    }
  } catch (thrown) {
    problems.set(
      name,
      `${name}(${given.map((one) => typeof one).join(', ')}) threw ${(thrown as Error).stack?.split('\n').slice(0, 3).join(' ')}`,
    )
  }
  stats?.close()
  // What the guest is made of now may be anything: it may run, but not for long.
  if (calls % 20 === 0) {
    guest.vcpu.kick()
    const exit = guest.vcpu.run()
    if (exit.isOk() && 'answer' in exit.value) {
      const asked = exit.value as unknown as { answer(...given: unknown[]): never }
      guest.vcpu.kick()
      guest.vcpu.run(asked.answer(value(), value()))
    }
  }
}
guest[Symbol.dispose]()
kvm.close()
for (const problem of problems.values()) console.log(problem)
console.log(`fuzzed ${calls} calls, ${problems.size} problems`)
