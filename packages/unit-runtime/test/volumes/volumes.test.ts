import { closure, compose, defineUnit, type Unit, type VolumeDefinition } from '@spectrum/unit-runtime'
import { memoryVolumes } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import { program, settle, watchedHost } from '../supervision/watched-host.js'

const data: VolumeDefinition = { path: '/data', sizeBytes: 16 << 20 }
const file = '/fake/state/volumes/unit/data.ext4'
const graphOf = (volumes: Readonly<Record<string, VolumeDefinition>> = { data }) =>
  compose({
    unit: defineUnit('unit', {
      store: closure(program),
      volumes,
      restart: { when: 'always', backoffMs: 5 },
    }),
  })._unsafeUnwrap()
async function noteOf(unit: Unit): Promise<string> {
  const { content } = (await unit.files.get({ path: '/data/note' }))._unsafeUnwrap()
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('the volumes of a unit', () => {
  it('are mounted before it runs, are there again after a restart, and for the next host', async () => {
    const volumes = memoryVolumes()
    {
      await using watched = await watchedHost({ volumes })
      const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
      expect(watched.guest('unit').machine.volumes).toEqual([
        { serial: 'data', path: file, sizeBytes: 16 << 20, readOnly: false },
      ])
      ;(await unit.files.put({ path: '/data/note' }, Buffer.from('remember')))._unsafeUnwrap()
      watched.guest('unit').crash()
      await watched.reached('unit', 'backing-off')
      await settle()
      expect(volumes.held()).toEqual([])
      watched.clock.advance(5)
      await watched.reached('unit', 'running', 2)
      expect(await noteOf(unit)).toBe('remember')
      expect(volumes.held()).toEqual([file])
    }
    expect(volumes.held()).toEqual([])
    await using again = await watchedHost({ volumes })
    const { unit } = (await again.host.start(graphOf()))._unsafeUnwrap()
    expect(await noteOf(unit)).toBe('remember')
  })

  it('grow to what their definition says, and never shrink', async () => {
    const volumes = memoryVolumes()
    const start = async (sizeBytes: number) => {
      await using watched = await watchedHost({ volumes })
      return (await watched.host.start(graphOf({ data: { ...data, sizeBytes } }))).map(() => 'started')
    }
    expect((await start(16 << 20)).isOk()).toBe(true)
    expect((await start(32 << 20)).isOk()).toBe(true)
    expect(volumes.sizes.get(file)).toBe(32 << 20)
    expect((await start(16 << 20))._unsafeUnwrapErr()).toMatchObject({
      kind: 'volume-failed',
      unit: 'unit',
      volume: 'data',
      reason: 'would-shrink',
    })
  })

  it('that another machine has are refused, all of them, and nothing is left of the start', async () => {
    const volumes = memoryVolumes()
    await using first = await watchedHost({ volumes })
    ;(await first.host.start(graphOf()))._unsafeUnwrap()
    await using second = await watchedHost({ volumes })
    const more = { ...data, path: '/more' }
    const refused = (await second.host.start(graphOf({ more, data })))._unsafeUnwrapErr()
    expect(refused).toMatchObject({ kind: 'volume-failed', volume: 'data', reason: 'in-use' })
    expect(volumes.held()).toEqual([file])
    expect(second.machines('unit')).toBe(0)
  })

  it('that hold no file system are an error of the start, and are given back', async () => {
    const volumes = memoryVolumes()
    Object.assign(volumes.contents(file), { damaged: true })
    await using watched = await watchedHost({ volumes })
    expect((await watched.host.start(graphOf()))._unsafeUnwrapErr()).toMatchObject({ kind: 'agent-failed' })
    expect(volumes.held()).toEqual([])
  })

  it('are for monitors that add nothing to a running machine, too', async () => {
    const capabilities = { pmemHotplug: false, blockHotplug: false, powerButton: true }
    await using watched = await watchedHost({ capabilities })
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    ;(await unit.files.put({ path: '/data/note' }, Buffer.from('remember')))._unsafeUnwrap()
    expect(await noteOf(unit)).toBe('remember')
  })

  it('are refused where the monitor has no disks to write, before anything is made, with what to do', async () => {
    const volumes = memoryVolumes()
    await using watched = await watchedHost({ volumes, capabilities: { volumes: false } })
    const without = defineUnit('without', { store: closure(program) })
    const graph = compose({ without, ...graphOf().units })._unsafeUnwrap()
    expect((await watched.host.start(graph))._unsafeUnwrapErr()).toEqual({
      kind: 'volume-failed',
      unit: 'unit',
      volume: 'data',
      reason: 'unsupported',
      message:
        'Volume "data" of unit "unit": the monitor of this host, fake, gives machines no disks to write. ' +
        'Open the host with crosvm or QEMU, or give the unit no volumes.',
    })
    expect([watched.told, [...volumes.sizes]]).toEqual([[], []])
    // The names are free again.
    expect((await watched.host.start(compose({ without })._unsafeUnwrap())).isOk()).toBe(true)
  })

  it('take a read-only one as such', async () => {
    await using watched = await watchedHost()
    const graph = graphOf({ data: { ...data, readOnly: true } })
    const { unit } = (await watched.host.start(graph))._unsafeUnwrap()
    const put = await unit.files.put({ path: '/data/note' }, Buffer.from('no'))
    expect(put.isErr()).toBe(true)
    expect(watched.guest('unit').machine.volumes?.[0]?.readOnly).toBe(true)
  })
})
