/**
 * How many calls the engine that enforces a graph decides in a second: in a graph of 1,000 units, against one of 10, so
 * that the ratio says what size costs. Each unit has three needs, wired to units before it, plain, audited and with a
 * rate; every fourth call names a need that its unit does not have. Interleaved in one run; medians.
 *
 *   npm run bench -- graph [--json] [--units N] [--rounds N]
 */
import { parseArgs } from 'node:util'
import {
  Authority,
  audit,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  rate,
  text,
  type UnitDefinition,
} from '@spectrum/unit-graph'
import { median, print } from './report/figure.js'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    units: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '9' },
  },
})
const calls = 50_000

const Ask = defineService('org.example.ask', { argument: text({ max: 64 }), response: bytes() })
const store = closure('/nix/store/00000000000000000000000000000000-x')
const NEEDS = ['plain', 'audited', 'limited'] as const

function authorityOver(count: number): Authority {
  const units = Array.from({ length: count }, (_, index) =>
    defineUnit(`unit-${index}`, {
      store,
      needs: index === 0 ? {} : { plain: Ask, audited: Ask, limited: Ask },
      provides: { ask: Ask.socket('/run/ask') },
    }),
  )
  const wiresOf = (index: number) => ({
    plain: units[index - 1]!.provides.ask,
    audited: units[index >> 1]!.provides.ask.with(audit('asked')),
    limited: units[0]!.provides.ask.with(rate(100, 'hour')),
  })
  const wiring: object = Object.fromEntries(
    units.slice(1).map(({ name }, index) => [name, wiresOf(index + 1)]),
  )
  const byName: Record<string, UnitDefinition> = Object.fromEntries(units.map((unit) => [unit.name, unit]))
  // Of so many units the compiler knows no names.
  return new Authority(compose(byName).wire(wiring)._unsafeUnwrap())
}

/** Decisions in a second, each by another unit than the one before. */
function decide(authority: Authority, count: number): number {
  const began = performance.now()
  let allowed = 0
  for (let call = 0; call < calls; call++) {
    const unit = `unit-${1 + ((call * 7) % (count - 1))}`
    const need = NEEDS[call & 3] ?? 'nothing'
    if (authority.decide({ unit, need, argument: 'a question', now: call }).kind === 'allowed') allowed++
  }
  const seconds = (performance.now() - began) / 1_000
  if (allowed < calls / 4 || allowed > (calls * 3) / 4) throw new Error(`${allowed} of ${calls} were allowed`)
  return calls / seconds
}

const units = Number(values.units)
const sizes = { ours: units, peer: 10 }
const authorities = { ours: authorityOver(sizes.ours), peer: authorityOver(sizes.peer) }
const samples = { ours: [] as number[], peer: [] as number[] }
for (let round = -2; round < Number(values.rounds); round++) {
  for (const which of ['ours', 'peer'] as const) {
    const perSecond = decide(authorities[which], sizes[which])
    // The first ones warm up.
    if (round >= 0) samples[which].push(perSecond)
  }
}
print(
  {
    name: `graph: calls decided in a second, ${units} units, against 10`,
    ...{ ours: median(samples.ours), peer: median(samples.peer) },
    ...{ unit: 'calls/s', accelerator: 'none' },
  },
  values.json,
)
