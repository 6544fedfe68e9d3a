import { readFileSync } from 'node:fs'
// As in a user's own test: nothing but what the package exports.
import {
  ask,
  bytes,
  type CallEvent,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  newHostEmitter,
  type UnitDefinition,
} from '@spectrum/unit-runtime'
import {
  type FakeProcess,
  type FakePrograms,
  manualClock,
  openFakeHost,
  scriptedPrompter,
} from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'

const tool = '/nix/store/00000000000000000000000000000000-tool'
const Shout = defineService('test.shout', { request: bytes(), response: bytes() })

/** Sends what it reads to the service that it needs, and says what comes back. */
async function relay({ stdin, stdout, connect }: FakeProcess): Promise<number> {
  const next = connect('/run/spectrum/services/next')
  for await (const chunk of stdin) await next.write(chunk)
  next.end()
  for await (const chunk of next.incoming) await stdout.write(chunk)
  return 0
}

/** The last of them says it louder, and under its own name. */
const programs = (unit: string): FakePrograms => ({
  [`${tool}/bin/relay`]: relay,
  async [`${tool}/bin/shout`]({ stdin, stdout }) {
    await stdout.write(`${unit}: `)
    for await (const chunk of stdin) await stdout.write(new TextDecoder().decode(chunk).toUpperCase())
    return 0
  },
})

/** One root that shouts, seven branches that reach it, and 42 leaves, six on each branch. */
function tree() {
  const store = closure(tool)
  const provides = { relay: Shout.command([`${tool}/bin/relay`]) }
  const needs = { next: Shout }
  const root = defineUnit('root', { store, provides: { shout: Shout.command([`${tool}/bin/shout`]) } })
  const units: Record<string, UnitDefinition> = { root }
  const wires: Record<string, Record<string, unknown>> = {}
  for (let one = 0; one < 7; one++) {
    const branch = defineUnit(`branch-${one}`, { store, needs, provides })
    units[branch.name] = branch
    wires[branch.name] = { next: one === 0 ? root.provides.shout.with(ask()) : root.provides.shout }
    for (let other = 0; other < 6; other++) {
      const leaf = defineUnit(`leaf-${one}-${other}`, { store, needs })
      units[leaf.name] = leaf
      wires[leaf.name] = { next: branch.provides.relay }
    }
  }
  return compose(units)
    .wire(wires as object)
    ._unsafeUnwrap()
}

describe('the test kit', () => {
  it('starts 50 units, carries their calls and stops them in under a second', async () => {
    const before = process.cpuUsage()
    const events = newHostEmitter()
    const calls: CallEvent[] = []
    const ended: string[] = []
    events.on('call', (event) => calls.push(event))
    events.on('unit-state', ({ unit, state }) => void (state === 'stopped' && ended.push(unit)))
    const prompter = scriptedPrompter(() => 'allow')
    const host = (
      await openFakeHost({ store: { [tool]: {} }, programs, prompter, events, concurrentStarts: 50 })
    )._unsafeUnwrap()

    const units = Object.values((await host.start(tree()))._unsafeUnwrap())
    expect(units.map(({ state }) => state)).toEqual(Array(50).fill('running'))

    const leaves = units.filter(({ name }) => name.startsWith('leaf'))
    const said = await Promise.all(
      leaves.map(async (leaf) => {
        const run = await leaf.exec([`${tool}/bin/relay`], { stdin: `hello from ${leaf.name}` })
        return new TextDecoder().decode(run._unsafeUnwrap().stdout)
      }),
    )
    expect(said).toEqual(leaves.map(({ name }) => `root: HELLO FROM ${name.toUpperCase()}`))
    expect(prompter.asked.map(({ unit }) => unit)).toEqual(Array(6).fill('branch-0'))

    expect((await host.stop()).isOk()).toBe(true)
    expect(await host.leftovers().unwrapOr(undefined)).toEqual({
      ...{ processes: [], sockets: [], mounts: [], files: [] },
    })
    // 42 calls of leaves and as many of their branches, each allowed and each at its end.
    const kinds = calls.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'allowed')).toHaveLength(84)
    expect(kinds.filter((kind) => kind === 'ended')).toHaveLength(84)
    expect(ended.indexOf('root')).toBeGreaterThan(Math.max(...leaves.map(({ name }) => ended.indexOf(name))))

    // Processor time: what else the machine does is not the kit's.
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(1000)
  })

  it('lets no time pass by itself, so a deadline is a line of the test', async () => {
    const clock = manualClock()
    const wait = `${tool}/bin/wait`
    const programs: FakePrograms = {
      [wait]: ({ killed }) =>
        new Promise((resolve) => killed.addEventListener('abort', () => resolve({ signal: 9 }))),
    }
    await using host = (await openFakeHost({ store: { [tool]: {} }, programs, clock }))._unsafeUnwrap()
    const graph = compose({ lone: defineUnit('lone', { store: closure(tool) }) })._unsafeUnwrap()
    const { lone } = (await host.start(graph))._unsafeUnwrap()
    const run = lone.exec([wait], { deadlineMs: 60_000 })
    clock.advance(59_999)
    expect(lone.state).toBe('running')
    clock.advance(1)
    expect((await run)._unsafeUnwrap().outcome).toEqual({ kind: 'timed-out' })
  })

  it('has functions of the host program behind a wire, too', async () => {
    const heard: string[] = []
    const lone = defineUnit('lone', { store: closure(tool), needs: { next: Shout } })
    const graph = compose({ lone })
      .wire({ lone: { next: fromHost(Shout, 'shout') } })
      ._unsafeUnwrap()
    await using host = (
      await openFakeHost({
        ...{ store: { [tool]: {} }, programs },
        services: {
          async shout({ caller, request, respond }) {
            for await (const chunk of request) heard.push(`${caller}: ${new TextDecoder().decode(chunk)}`)
            await respond(new TextEncoder().encode('heard'))
          },
        },
      })
    )._unsafeUnwrap()
    const units = (await host.start(graph))._unsafeUnwrap()
    const run = await units.lone.exec([`${tool}/bin/relay`], { stdin: 'hello' })
    expect(new TextDecoder().decode(run._unsafeUnwrap().stdout)).toBe('heard')
    expect(heard).toEqual(['lone: hello'])
  })

  it('is shown in the README by a test that runs', () => {
    const [readme, example] = ['../../README.md', './letter.test.ts'].map((path) =>
      readFileSync(new URL(path, import.meta.url), 'utf8'),
    )
    expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``)
  })
})
