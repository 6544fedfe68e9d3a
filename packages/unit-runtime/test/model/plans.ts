import {
  absent,
  ask,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  type Graph,
  revocable,
  type UnitDefinition,
  type UnitOptions,
} from '@spectrum/unit-runtime'
import fc from 'fast-check'

export const tool = '/nix/store/00000000000000000000000000000000-tool'
export const extra = '/nix/store/11111111111111111111111111111111-extra'

/** How the calls of one need may go. */
export type Condition = 'free' | 'asks' | 'revocable' | 'absent'

export interface NeedPlan {
  /** Index of the provider: always a unit before this one, so there is no cycle. */
  readonly provider: number
  readonly condition: Condition
}

export interface UnitPlan {
  readonly needs: readonly NeedPlan[]
  readonly life: 'plain' | 'restarts' | 'lazy'
  /** Whether it ends with its first provider. */
  readonly dies: boolean
}

/** What somebody does to a host that runs. Units and edges are picked by number, modulo how many there are. */
export type Act =
  /** Along an edge, or by a name that the unit does not have. */
  | { readonly act: 'call'; readonly edge: number; readonly answer: 'echo' | 'hang' | 'nobody' }
  | { readonly act: 'start' | 'inject' | 'revoke' | 'crash' | 'power-off' | 'stop'; readonly unit: number }
  | { readonly act: 'revoke-grant'; readonly edge: number }
  | { readonly act: 'advance'; readonly ms: number }
  | { readonly act: 'settle'; readonly turns: number }
  | { readonly act: 'disposable'; readonly behaviour: 'runs' | 'throws' | 'hangs' }
  | { readonly act: 'prepare'; readonly count: number }

export interface Plan {
  readonly units: readonly UnitPlan[]
  readonly acts: readonly Act[]
  /** What a person answers, question by question, over and over. */
  readonly answers: readonly ('allow' | 'deny' | 'never')[]
  readonly end: 'stop' | 'hurry' | 'abort'
}

const unitPlan = (index: number): fc.Arbitrary<UnitPlan> =>
  fc.record({
    needs:
      index === 0
        ? fc.constant([])
        : fc.array(
            fc.record({
              provider: fc.nat(index - 1),
              condition: fc.constantFrom<Condition>('free', 'asks', 'revocable', 'revocable', 'absent'),
            }),
            { maxLength: 3 },
          ),
    life: fc.constantFrom<UnitPlan['life']>('plain', 'plain', 'restarts', 'lazy'),
    dies: fc.boolean(),
  })

const number = fc.nat(20)
const call = fc.record({
  ...{ act: fc.constant('call' as const), edge: number },
  answer: fc.constantFrom('echo', 'echo', 'echo', 'hang', 'hang', 'nobody'),
})
const settle = fc.record({ act: fc.constant('settle' as const), turns: fc.integer({ min: 1, max: 30 }) })
const act: fc.Arbitrary<Act> = fc.oneof(
  { arbitrary: call, weight: 6 },
  { arbitrary: settle, weight: 4 },
  fc.record({
    act: fc.constantFrom('start', 'inject', 'revoke', 'crash', 'power-off', 'stop'),
    unit: number,
  }),
  fc.record({
    act: fc.constantFrom('inject' as const, 'crash' as const, 'stop' as const),
    unit: number,
  }),
  { arbitrary: fc.record({ act: fc.constant('revoke-grant' as const), edge: number }), weight: 2 },
  fc.record({ act: fc.constant('advance' as const), ms: fc.constantFrom(1, 300, 5_000, 200_000) }),
  fc.record({
    act: fc.constant('disposable' as const),
    behaviour: fc.constantFrom('runs', 'throws', 'hangs'),
  }),
  fc.record({ act: fc.constant('prepare' as const), count: fc.nat(2) }),
) as fc.Arbitrary<Act>

export const plans: fc.Arbitrary<Plan> = fc.integer({ min: 2, max: 7 }).chain((count) =>
  fc.record({
    units: fc.tuple(...Array.from({ length: count }, (_, index) => unitPlan(index))),
    acts: fc.array(act, { maxLength: 25 }),
    answers: fc.array(fc.constantFrom('allow', 'deny', 'never'), { minLength: 1, maxLength: 3 }),
    end: fc.constantFrom('stop', 'stop', 'hurry', 'abort'),
  }),
)

export interface EdgePlan extends NeedPlan {
  readonly unit: string
  readonly need: string
  readonly from: string
  /** Under which it can be revoked. */
  readonly name: string
}

/** The needs that are wired to somebody. */
export function edgesOf({ units }: Plan): readonly EdgePlan[] {
  const all = units.flatMap(({ needs }, index) =>
    needs.map((each, number): EdgePlan => {
      const [unit, need] = [nameOf(index), needOf(number)]
      return { ...each, unit, need, from: nameOf(each.provider), name: edgeName(unit, need) }
    }),
  )
  return all.filter(({ condition }) => condition !== 'absent')
}

const Pipe = defineService('test.pipe', { request: bytes(), response: bytes() })
const provides = { pipe: Pipe.command([`${tool}/bin/serve`]) }

export const nameOf = (index: number): string => `unit-${index}`
const needOf = (index: number): string => `need-${index}`
const edgeName = (unit: string, need: string): string => `${unit} ${need}`

/** A lazy unit that nobody may call is refused, so it is none. */
function isCalled(units: readonly UnitPlan[], index: number): boolean {
  return units.some(({ needs }) =>
    needs.some((need) => need.provider === index && need.condition !== 'absent'),
  )
}

export function graphOf({ units }: Plan): Graph {
  const wiring: Record<string, Record<string, unknown>> = {}
  const built: UnitDefinition[] = []
  const definitions = units.map((plan, index): UnitDefinition => {
    const name = nameOf(index)
    const wired = plan.needs.map(({ provider, condition }, need) => {
      const provision = built[provider]!.provides['pipe']!
      const conditions =
        condition === 'asks'
          ? [ask()]
          : condition === 'revocable'
            ? [revocable(edgeName(name, needOf(need)))]
            : []
      return [needOf(need), condition === 'absent' ? absent : provision.with(...conditions)] as const
    })
    if (wired.length > 0) wiring[name] = Object.fromEntries(wired)
    const first = plan.needs[0]
    const options: UnitOptions = {
      store: closure(tool),
      provides,
      needs: Object.fromEntries(plan.needs.map((_, need) => [needOf(need), Pipe.optional()])),
      ...(plan.life === 'restarts' ? { restart: { when: 'on-failure' } as const } : {}),
      ...(plan.life === 'lazy' && isCalled(units, index) ? { start: 'lazy' as const } : {}),
      ...(plan.dies && first !== undefined ? { diesWith: [nameOf(first.provider)] } : {}),
    }
    const definition = defineUnit(name, options) as unknown as UnitDefinition
    built.push(definition)
    return definition
  })
  const byName = Object.fromEntries(definitions.map((definition) => [definition.name, definition]))
  return compose(byName)
    .wire(wiring as object)
    ._unsafeUnwrap()
}
