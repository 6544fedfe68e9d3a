// What the selftests use of vitest, for a lab, in which vitest itself takes minutes to start: a bundle gets this in its place.
import { setTimeout as sleep } from 'node:timers/promises'
import { format, inspect } from 'node:util'
import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'

for (const matchers of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(matchers)

type Body = (...given: never[]) => unknown

const POLL_MS = 20_000

/** Asks again until the answer is as expected. */
const poll = (ask: () => unknown) =>
  new Proxy(
    {},
    {
      get:
        (_, matcher: string) =>
        async (...expected: unknown[]) => {
          for (const end = Date.now() + POLL_MS; ; await sleep(50)) {
            const assertion = chai.expect(await ask()) as unknown as Record<
              string,
              (...given: unknown[]) => void
            >
            try {
              return assertion[matcher]!(...expected)
            } catch (failure) {
              if (Date.now() > end) throw failure
            }
          }
        },
    },
  )

export const expect = Object.assign(chai.expect, { poll })

/** Of `vi`, what those use who start something and wait for it. */
export const vi = {
  async waitUntil<T>(ask: () => T, { timeout = 1_000 } = {}): Promise<NonNullable<Awaited<T>>> {
    for (const end = Date.now() + timeout; ; await sleep(50)) {
      const answer = await ask()
      if (answer) return answer
      if (Date.now() > end) throw new Error(`not so within ${timeout} ms`)
    }
  },
}

class Skip {
  constructor(readonly why: string) {}
}
const context = {
  skip: (why: string) => {
    throw new Skip(why)
  },
}

const path: string[] = []
const planned: { name: string; run: () => unknown }[] = []

export function describe(name: string, body: () => void): void {
  path.push(name)
  body()
  path.pop()
}

function plan(name: string, body: Body, given: readonly unknown[]): void {
  planned.push({ name: [...path, name].join(' > '), run: () => body(...(given as never[])) })
}

/** `%s` and the like take one each; what is left over is not for the title. */
const titleOf = (name: string, given: readonly unknown[]) =>
  format(name, ...given.slice(0, name.match(/%[a-z]/g)?.length ?? 0))

export const test = Object.assign((name: string, body: Body) => plan(name, body, [context]), {
  each: (cases: readonly unknown[]) => (name: string, body: Body) => {
    for (const one of cases.map((each) => (Array.isArray(each) ? each : [each])))
      plan(titleOf(name, one), body, one)
  },
  for: (cases: readonly unknown[]) => (name: string, body: Body) => {
    for (const one of cases) plan(format(name, one), body, [one, context])
  },
})
export const it = test

/** Runs what was planned, in sequence, and gives by name what came of each: `passed`, `skipped: …` or `failed: …`. */
export async function runPlanned(): Promise<Record<string, string>> {
  const outcomes: Record<string, string> = {}
  for (const { name, run } of planned) {
    process.stderr.write(`${name}\n`) // the last one is where a lab that ended too early stood
    try {
      await run()
      outcomes[name] = 'passed'
    } catch (thrown) {
      outcomes[name] =
        thrown instanceof Skip
          ? `skipped: ${thrown.why}`
          : `failed: ${thrown instanceof Error ? thrown.stack : inspect(thrown)}`
    }
  }
  return outcomes
}
