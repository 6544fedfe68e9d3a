import { connectAgent } from '@spectrum/guest-agent'
import { type FakeUnit, fakeAgentChannel } from '@spectrum/guest-agent/fake'
import { expect, it } from 'vitest'
import { clock } from './support/clock.js'
import { collect } from './support/streams.js'

const [image, blob] = ['1'.repeat(64), '2'.repeat(64)]
const name = `${'a'.repeat(32)}-hello`
const path = `/nix/store/${name}/bin/hello`
const mount = { image, devices: [blob], paths: [name] }

async function boot(unit: FakeUnit = {}) {
  const fake = fakeAgentChannel(
    { clock },
    { programs: { [path]: sayHello }, images: { [image]: [name] }, ...unit },
  )
  return { fake, agent: (await connectAgent(fake.channel, { clock }))._unsafeUnwrap() }
}

const sayHello = async ({ stdout }: { stdout: { write(text: string): Promise<void> } }) => {
  await stdout.write('hello\n')
  return 0
}

it('runs a program of the store once its path is mounted, not before', async () => {
  const { agent, fake } = await boot({ devices: [image, blob] })
  const before = (await agent.exec({ argv: [path] }))._unsafeUnwrap()
  expect(await before.outcome).toMatchObject({ kind: 'not-started', reason: 'not-found' })
  expect((await agent.mountStore(mount))._unsafeUnwrap()).toEqual({ dax: true, bound: [name] })
  expect((await agent.mountStore(mount))._unsafeUnwrap()).toEqual({ dax: true, bound: [] })
  expect(fake.boundNames()).toEqual([name])
  const after = (await agent.exec({ argv: [path] }))._unsafeUnwrap()
  expect((await collect(after.stdout)).toString()).toBe('hello\n')
})

it('waits for devices that come late, and says which one never came', async () => {
  const { agent, fake } = await boot({ devices: [image] })
  const error = (await agent.mountStore(mount, { deadlineMs: 400 }))._unsafeUnwrapErr()
  expect(error).toMatchObject({ kind: 'timed-out', message: expect.stringContaining(blob) })
  const mounting = agent.mountStore(mount)
  fake.addDevice(blob)
  expect((await mounting)._unsafeUnwrap().bound).toEqual([name])
})

it('refuses names that the image does not have, and learns images late', async () => {
  const { agent, fake } = await boot({ devices: [image, blob], images: {} })
  expect((await agent.mountStore(mount))._unsafeUnwrapErr()).toMatchObject({
    kind: 'refused',
    errno: 'ENOENT',
  })
  fake.addImage(image, [name])
  expect((await agent.mountStore(mount)).isOk()).toBe(true)
})

it('lacks a feature where it is told to', async () => {
  const { agent } = await boot({ lacks: 'erofs' })
  expect((await agent.mountStore(mount))._unsafeUnwrapErr()).toMatchObject({
    kind: 'kernel-lacks',
    feature: 'erofs',
  })
})

it.each([
  ['image', { ...mount, image: 'x' }],
  ['devices', { ...mount, devices: ['A'.repeat(64)] }],
  ['paths', { ...mount, paths: [] }],
  ['paths', { ...mount, paths: ['../etc'] }],
  ['paths', { ...mount, paths: [`${'e'.repeat(32)}-x`] }],
])('never sees a mount with wrong %s', async (field, wrong) => {
  const { agent } = await boot()
  expect((await agent.mountStore(wrong))._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-request', field })
})

it('lists what is bound', async () => {
  const { agent } = await boot({ devices: [image, blob] })
  expect((await agent.listStore())._unsafeUnwrap()).toEqual([])
  await agent.mountStore(mount)
  expect((await agent.listStore())._unsafeUnwrap()).toEqual([name])
})

it('says how it ended', async () => {
  const off = await boot()
  expect((await off.agent.powerOff()).isOk()).toBe(true)
  expect(await off.fake.ended).toBe('powered-off')
  const closed = await boot()
  await closed.agent[Symbol.asyncDispose]()
  expect(await closed.fake.ended).toBe('host-gone')
  const lost = await boot()
  lost.fake.lose()
  expect(await lost.fake.ended).toBe('lost')
  expect(await lost.agent.closed).toEqual({ kind: 'closed-by-unit' })
})

it('can hang while it boots', async () => {
  const fake = fakeAgentChannel({ clock }, { silent: true })
  const result = await connectAgent(fake.channel, { clock }, { deadlineMs: 20 })
  expect(result._unsafeUnwrapErr().kind).toBe('timed-out')
})

it('reports out-of-memory kills and programs that throw', async () => {
  const programs = {
    '/oom': () => 'oom' as const,
    '/throws': () => {
      throw new Error('broken')
    },
  }
  const { agent } = await boot({ programs })
  const outcome = async (argv: string[]) => (await agent.exec({ argv }))._unsafeUnwrap().outcome
  expect(await outcome(['/oom'])).toEqual({ kind: 'oom' })
  expect(await outcome(['/throws'])).toMatchObject({ kind: 'signalled', signal: 'SIGABRT' })
})
