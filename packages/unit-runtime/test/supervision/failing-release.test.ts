import type { Machine, MonitorError } from '@spectrum/unit-monitor'
import {
  closure,
  compose,
  defineUnit,
  type HostEvents,
  type HostPowers,
  newHostEmitter,
  openHostWith,
} from '@spectrum/unit-runtime'
import {
  type FakeGuest,
  fakeHostPowers,
  manualClock,
  memoryFiles,
  memoryStore,
  memoryVolumes,
} from '@spectrum/unit-runtime/fake'
import { err, errAsync, ResultAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { withMachines } from '../changed-machines.js'
import { forever, program, settle } from './watched-host.js'

const path = '/fake/state/volumes/unit/data.ext4'
const store = { [program]: {} }
/** Its command is not there, so it is given up when it has come up. */
const commandless = defineUnit('unit', {
  store: closure(program),
  command: [`${program}/bin/none`],
  volumes: { data: { path: '/data', sizeBytes: 16 << 20 } },
})
const plain = defineUnit('unit', { store: closure(program) })
const hangs: MonitorError = { kind: 'timed-out', message: 'it hangs in the kernel', lastLines: [] }

/** A fake host with other powers, and everything that can be seen of it. */
async function opened(change: (powers: HostPowers) => HostPowers) {
  const files = memoryFiles()
  const volumes = memoryVolumes()
  const events = newHostEmitter()
  const told: Parameters<HostEvents['unit-state']>[0][] = []
  const guests: FakeGuest[] = []
  events.on('unit-state', (event) => told.push(event))
  const programs = { [`${program}/bin/forever`]: forever }
  const clock = manualClock()
  const onGuest = (guest: FakeGuest) => void guests.push(guest)
  const powers = change(fakeHostPowers({ store, files, volumes, programs, clock, onGuest }))
  const places = { state: '/fake/state', cache: '/fake/cache' }
  const host = (await openHostWith(powers, places, { store: memoryStore(store), events }))._unsafeUnwrap()
  return {
    host,
    files,
    volumes,
    guests,
    start: async (unit: typeof plain | typeof commandless) => host.start(compose({ unit })._unsafeUnwrap()),
    states: () => told.map(({ state }) => state),
    last: () => told.at(-1)!,
    /** The directory of the first machine is there still. */
    hasDirectory: () => files.paths().some((each) => each.endsWith('/u1')),
    async log() {
      const lines: string[] = []
      for await (const { text } of host.logs('unit')) lines.push(text)
      return lines.join('\n')
    },
  }
}

const rejecting = (why: string) => ({ [Symbol.asyncDispose]: () => Promise.reject(new Error(why)) })

describe('a unit that is given up, whose machine', () => {
  it.each([
    ['cannot be released', (powers: HostPowers) => withMachines(powers, rejecting('no release\x1b'))],
    [
      'cannot be released, and whose directory cannot be removed',
      (powers: HostPowers) => {
        const { files } = powers
        let failures = 1
        const remove = async (each: string) => {
          if (each.endsWith('/u1') && failures-- > 0) throw new Error('no removal')
          return files.remove(each)
        }
        return withMachines({ ...powers, files: { ...files, remove } }, rejecting('no release\x1b'))
      },
    ],
  ])('%s has failed with its own reason and that one, and holds nothing', async (how, change) => {
    const { host, start, states, last, volumes, hasDirectory, log } = await opened(change)
    const error = (await start(commandless))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'command-not-started', unit: 'unit' })
    expect(error.message).toContain('could not release it: Error: no release\\x1b')
    expect(states()).toEqual(['starting', 'failed'])
    expect(last()).toMatchObject({ state: 'failed', failure: error, why: error.message })
    expect(await log()).toContain('not given back: ')
    expect([[...host.units], volumes.held()]).toEqual([[], []])
    expect(hasDirectory()).toBe(how.includes('directory'))
    if (how.includes('directory')) expect(error.message).toContain('Could not remove')
    ;(await host.stop())._unsafeUnwrap()
    expect((await host.leftovers())._unsafeUnwrap().files).toEqual([])
  })

  it.each(['answers that it cannot be ended', 'throws when it is to be ended'])(
    '%s keeps its volumes, its name and its journal until it is gone',
    async (how) => {
      const kill = (): ReturnType<Machine['kill']> => {
        if (how.startsWith('answers')) return errAsync(hangs)
        throw new Error(hangs.message)
      }
      const { host, start, states, last, volumes, guests, hasDirectory } = await opened((powers) =>
        withMachines(powers, (machine) => ({ kill, [Symbol.asyncDispose]: async () => void machine })),
      )
      const error = (await start(commandless))._unsafeUnwrapErr()
      expect(error).toMatchObject({ unit: 'unit', message: expect.stringContaining('hangs in the kernel') })
      await settle()
      expect(states()).toEqual(['starting', 'failed'])
      expect(last().failure).toEqual(error)
      expect([volumes.held(), hasDirectory(), [...host.units.keys()]]).toEqual([[path], true, ['unit']])
      expect((await start(plain))._unsafeUnwrapErr().kind).toBe('unit-exists')
      expect((await host.leftovers())._unsafeUnwrap().files.some((each) => each.endsWith('/u1'))).toBe(true)
      const { ended } = host.units.get('unit')!
      guests[0]!.crash()
      expect(await ended).toMatchObject({ state: 'failed', failure: error })
      expect([volumes.held(), hasDirectory(), [...host.units.keys()]]).toEqual([[], false, []])
      expect(states()).toEqual(['starting', 'failed'])
    },
  )

  it('had failed before and cannot be ended is not waited for', async () => {
    const { start, guests, states, host } = await opened((powers) => {
      const machines = withMachines(powers, { kill: () => errAsync(hangs), ...rejecting('no release') })
      // Its command is started when its agent is lost already.
      return {
        ...machines,
        connectAgent: (...given) =>
          powers.connectAgent(...given).map((agent) => {
            const lost = new Proxy(agent, {
              get(target, name) {
                const value = name === 'exec' ? exec : Reflect.get(target, name, target)
                return typeof value === 'function' ? value.bind(target) : value
              },
            })
            const exec: typeof agent.exec = () =>
              new ResultAsync(
                (async () => {
                  await agent[Symbol.asyncDispose]()
                  await settle()
                  const closed = await agent.closed
                  return err({ kind: 'unit-lost', message: 'lost', closed })
                })(),
              )
            return lost
          }),
      }
    })
    const error = (await start(commandless))._unsafeUnwrapErr()
    expect(error.message).toContain('hangs in the kernel')
    expect(states().at(-1)).toBe('failed')
    guests[0]!.crash()
    await expect.poll(() => [...host.units.keys()]).toEqual([])
  })
})

describe('a start that fails before its unit is up, of a machine that cannot be ended,', () => {
  it('gives back what that held when it ends after all', async () => {
    const { host, start, volumes, guests, hasDirectory } = await opened((powers) => ({
      ...withMachines(powers, { kill: () => errAsync(hangs), ...rejecting('no release') }),
      connectAgent: () => errAsync({ kind: 'refused', message: 'no', errno: undefined }),
    }))
    expect((await start(commandless))._unsafeUnwrapErr().message).toContain('hangs in the kernel')
    await settle()
    expect([volumes.held(), hasDirectory(), [...host.units.keys()]]).toEqual([[path], true, ['unit']])
    guests[0]!.crash()
    await expect.poll(() => [volumes.held(), hasDirectory(), [...host.units.keys()]]).toEqual([[], false, []])
    ;(await host.stop())._unsafeUnwrap()
  })
})

describe('a unit that is stopped', () => {
  it('says what of its store could not be given back, has ended all the same, and its host can stop', async () => {
    const { host, start, states, log } = await opened((powers) => ({
      ...powers,
      openBlobCache: (...given) =>
        powers.openBlobCache(...given).map((cache) => ({
          ...cache,
          release: () => errAsync({ kind: 'aborted', message: 'no lease given back' } as const),
        })),
    }))
    const { unit } = (await start(plain))._unsafeUnwrap()
    expect((await unit.stop())._unsafeUnwrapErr().message).toContain('no lease given back')
    expect((await unit.ended).state).toBe('stopped')
    expect(states().at(-1)).toBe('stopped')
    expect(await log()).toContain('not given back: ')
    expect([...host.units.keys()]).toEqual([])
    ;(await host.stop())._unsafeUnwrap()
  })

  it('says what its machine’s driver could not release, and has ended all the same', async () => {
    const { host, start, states } = await opened((powers) => withMachines(powers, rejecting('no release')))
    const { unit } = (await start(plain))._unsafeUnwrap()
    expect((await unit.stop({ graceMs: 0 }))._unsafeUnwrapErr().message).toContain('no release')
    expect(await unit.ended).toMatchObject({ state: 'stopped', exit: { kind: 'killed' } })
    expect(states().at(-1)).toBe('stopped')
    ;(await host.stop())._unsafeUnwrap()
    expect((await host.leftovers())._unsafeUnwrap().files).toEqual([])
  })
})
