import { Buffer } from 'node:buffer'
import { closure, compose, defineUnit, type Unit } from '@spectrum/unit-runtime'
import { type FakeProgram, memoryVolumes } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import type { SupervisedUnit } from '../../src/supervision/supervised-unit.js'
import { program, settle, watchedHost } from './watched-host.js'

const term = 15
const graph = compose({
  unit: defineUnit('unit', {
    store: closure(program),
    volumes: { data: { path: '/data', sizeBytes: 16 << 20 } },
  }),
})._unsafeUnwrap()
const path = '/fake/state/volumes/unit/data.ext4'
/** Writes its last word, when it is asked to end. */
const orderly: FakeProgram = ({ onSignal, files, killed }) =>
  new Promise((resolve) => {
    onSignal(term, () => {
      files.put('/', 'data/last-word', Buffer.from('farewell'), 0o644)
      resolve(0)
    })
    killed.addEventListener('abort', () => resolve(1))
  })
const stubborn: FakeProgram = ({ onSignal, killed }) =>
  new Promise((resolve) => {
    onSignal(term, () => {})
    killed.addEventListener('abort', () => resolve(1))
  })

async function running(which: 'orderly' | 'stubborn') {
  const volumes = memoryVolumes()
  const programs = { [`${program}/bin/orderly`]: orderly, [`${program}/bin/stubborn`]: stubborn }
  const watched = await watchedHost({ volumes, programs })
  const { unit } = (await watched.host.start(graph))._unsafeUnwrap()
  const process = (await unit.spawn([`${program}/bin/${which}`]))._unsafeUnwrap()
  // An outcome comes after all that the program has said.
  for (const stream of [process.stdout, process.stderr]) void drain(stream)
  const lastWord = () => Buffer.from(volumes.contents(path).files?.get('last-word') ?? '').toString()
  return { watched, unit, process, lastWord }
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}

describe('a unit that is stopped', () => {
  it('asks its programs to end first, and what they write then is on its volume', async () => {
    const { watched, unit, process, lastWord } = await running('orderly')
    expect((await unit.stop())._unsafeUnwrap()).toMatchObject({ graceful: true, state: 'stopped' })
    expect(await process.outcome).toEqual({ kind: 'exited', code: 0 })
    expect(lastWord()).toBe('farewell')
    await watched.host.stop()
  })

  it('ends a program that will not, before its machine: the last three seconds are for that', async () => {
    const { watched, unit, process } = await running('stubborn')
    const stopping = unit.stop({ graceMs: 10_000 })
    await settle()
    watched.clock.advance(6_999)
    await settle()
    expect(unit.state).toBe('stopping')
    watched.clock.advance(1)
    expect((await stopping)._unsafeUnwrap()).toMatchObject({ graceful: true, state: 'stopped' })
    expect(await process.outcome).toMatchObject({ kind: 'signalled', signal: 'SIGKILL' })
    const lines: string[] = []
    for await (const { text } of unit.logs()) lines.push(text)
    expect(lines).toContain('1 of its processes did not end within 7000 ms and were killed')
    await watched.host.stop()
  })

  it.each(['no grace', 'a pause', 'a second stop without grace'])(
    'does not wait for its programs after %s',
    async (how) => {
      const { watched, unit, lastWord } = await running(how.startsWith('a second') ? 'stubborn' : 'orderly')
      if (how === 'a pause')
        (await (watched.host.units.get('unit') as SupervisedUnit).pause())._unsafeUnwrap()
      const stopping = unit.stop(how === 'no grace' ? { graceMs: 0 } : {})
      await settle()
      if (how.startsWith('a second')) (await unit.stop({ graceMs: 0 }))._unsafeUnwrap()
      expect((await stopping)._unsafeUnwrap()).toMatchObject({ graceful: false, exit: { kind: 'killed' } })
      expect(lastWord()).toBe('')
      await watched.host.stop()
    },
  )
})

describe('a volume that keeps its unit from an end in order', () => {
  /** Stops a unit with such a volume, and another one of its graph after it. */
  async function stopped(atEnd: 'busy' | 'hangs') {
    const volumes = memoryVolumes()
    Object.assign(volumes.contents(path), { atEnd })
    const watched = await watchedHost({ volumes })
    const other = defineUnit('other', { store: closure(program) })
    const units = (
      await watched.host.start(compose({ other, ...graph.units })._unsafeUnwrap())
    )._unsafeUnwrap() as Record<string, Unit>
    const held: string[] = []
    watched.events.on('step', ({ unit, step }) => {
      if (unit === 'unit') held.push(`${step} ${volumes.held().length}`)
    })
    const stopping = units['unit']!.stop()
    const log = async () => {
      const lines: string[] = []
      for await (const { source, text } of units['unit']!.logs()) if (source === 'host') lines.push(text)
      return lines
    }
    return { watched, volumes, other: units['other']!, stopping, held, log }
  }

  it('is counted, said, and free for the next machine when this one is off', async () => {
    const { watched, volumes, other, stopping, held, log } = await stopped('busy')
    expect((await stopping)._unsafeUnwrap()).toMatchObject({
      state: 'stopped',
      exit: { kind: 'powered-off' },
      graceful: false,
      disorder: { kind: 'volumes-left', notUnmounted: 1, synced: true },
    })
    expect(held).toEqual(['stop-begun 1', 'machine-ended 1'])
    expect(volumes.held()).toEqual([])
    expect(await log()).toContain('1 of its volumes could not be unmounted')
    expect(other.state).toBe('running')
    await watched.host.stop()
  })

  it('is given up by its guest in time, when its disk does not answer', async () => {
    const { watched, other, stopping, log } = await stopped('hangs')
    await settle()
    // The grace of programs is 7 s of these 10; of the rest the guest has three quarters.
    watched.clock.advance(9_249)
    await settle()
    expect(watched.host.units.get('unit')!.state).toBe('stopping')
    watched.clock.advance(1)
    expect((await stopping)._unsafeUnwrap()).toMatchObject({
      exit: { kind: 'powered-off' },
      graceful: false,
      disorder: { kind: 'volumes-left', notUnmounted: 1, synced: false },
    })
    expect(await log()).toContain(
      'not all that it has written may be on its disks: one of them did not answer',
    )
    expect(other.state).toBe('running')
    await watched.host.stop()
  })

  it('is not free before the monitor is dead, when the guest says nothing any more', async () => {
    const { watched, volumes, other, stopping, held, log } = await stopped('hangs')
    await settle()
    watched.guest('unit').hang()
    watched.clock.advance(9_999)
    await settle()
    expect([watched.host.units.get('unit')!.state, volumes.held()]).toEqual(['stopping', [path]])
    watched.clock.advance(1)
    expect((await stopping)._unsafeUnwrap()).toMatchObject({
      state: 'stopped',
      exit: { kind: 'killed' },
      graceful: false,
      disorder: { kind: 'given-up', graceMs: 10_000, reached: 'killed' },
    })
    expect(held).toEqual(['stop-begun 1', 'stop-given-up 1', 'machine-ended 1'])
    expect(volumes.held()).toEqual([])
    expect(await log()).toContain(
      'it was not off within 10000 ms, so its machine is killed: the last step of its end was "killed"',
    )
    expect(other.state).toBe('running')
    await watched.host.stop()
  })
})
