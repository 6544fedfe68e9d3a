import {
  absent,
  bytes,
  type CallEvent,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  revocable,
} from '@spectrum/unit-runtime'
import { type FakeProgram, openFakeHost } from '@spectrum/unit-runtime/fake'
import { expect, it } from 'vitest'

const [tool, other] = [`/nix/store/${'1'.repeat(32)}-tool`, `/nix/store/${'2'.repeat(32)}-other`]
const Upper = defineService('test.upper', { request: bytes(), response: bytes() })

const call: FakeProgram = async ({ argv, connect, stdin, stdout }) => {
  const socket = connect(`/run/spectrum/services/${argv[1]}`)
  for await (const chunk of stdin) await socket.write(chunk).catch(() => {})
  socket.end()
  for await (const chunk of socket.incoming) await stdout.write(chunk)
  return 0
}
const upper: FakeProgram = async ({ env, stdin, stdout }) => {
  for await (const chunk of stdin) await stdout.write(Buffer.from(chunk).toString().toUpperCase())
  await stdout.write(` for ${env['SPECTRUM_CALLER']}`)
  return 0
}
const server = defineUnit('server', {
  store: closure(other),
  provides: { upper: Upper.command([`${other}/bin/upper`]) },
})
const client = defineUnit('client', {
  store: closure(tool),
  needs: { up: Upper, down: Upper, nothing: Upper.optional() },
})
const graph = compose({ server, client })
  .wire({
    client: {
      up: server.provides.upper.with(revocable('upper')),
      down: fromHost(Upper, 'lower'),
      nothing: absent,
    },
  })
  ._unsafeUnwrap()
const options = {
  store: { [tool]: {}, [other]: {} },
  programs: { [`${tool}/bin/call`]: call, [`${other}/bin/upper`]: upper },
}

it('a host carries the calls of a graph, until it revokes one or the provider ends', async () => {
  await using host = (
    await openFakeHost({
      ...options,
      services: {
        lower: async ({ request, respond }) => {
          for await (const chunk of request)
            await respond(Buffer.from(String(Buffer.from(chunk)).toLowerCase()))
        },
      },
    })
  )._unsafeUnwrap()
  const events: CallEvent[] = []
  host.events.on('call', (event) => events.push(event))
  const units = (await host.start(graph))._unsafeUnwrap()
  const ask = async (need: string) => {
    const ran = await units.client.exec([`${tool}/bin/call`, need], { stdin: 'Hello' })
    return new TextDecoder().decode(ran._unsafeUnwrap().stdout)
  }
  expect(await ask('up')).toBe('HELLO for client')
  expect(await ask('down')).toBe('hello')
  expect(await ask('nothing')).toBe('')
  expect(events.map(({ kind, need }) => `${kind} ${need}`)).toEqual([
    ...['allowed up', 'ended up', 'allowed down', 'ended down', 'refused nothing'],
  ])
  expect(host.revokeGrant('upper')).toBe(1)
  expect(await ask('up')).toBe('')
  await units.server.stop({ graceMs: 0 })
  expect(await ask('down')).toBe('hello')
})

it('a host takes no graph that is wired to a function it does not have', async () => {
  await using host = (await openFakeHost(options))._unsafeUnwrap()
  expect((await host.start(graph))._unsafeUnwrapErr()).toMatchObject({
    kind: 'invalid-request',
    field: 'client.down',
  })
})

it.each([0, Number.NaN, 'many'])('a host does not open with a limit of %s', async (perUnit) => {
  const opened = await openFakeHost({ ...options, callLimits: { perUnit: perUnit as number } })
  expect(opened._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-request', field: 'callLimits' })
})
