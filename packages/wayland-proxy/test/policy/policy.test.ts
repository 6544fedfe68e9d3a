import { describe, expect, test } from 'vitest'
import {
  DEFAULT_POLICY,
  explain,
  extendedTable,
  parsePolicy,
  policySchema,
  readPolicy,
} from '../../src/index.js'
import { decideGlobal } from '../../src/policy/globals.js'
import { ALLOWED, ANSWERED, NEVER, OPT_IN } from '../../src/policy/lists.js'
import { table } from '../peers/peer.js'
import { Unit } from '../peers/unit.js'

describe('a policy', () => {
  test('says nothing and means the defaults', () => {
    expect(parsePolicy('{}')._unsafeUnwrap()).toEqual(DEFAULT_POLICY)
  })

  test('is refused at the first thing that is not known, with its place', () => {
    const wrong = (value: unknown) => readPolicy(value)._unsafeUnwrapErr().message
    expect(wrong({ clipbord: {} })).toMatch('/clipbord is not known; known are dryRun')
    expect(wrong({ clipboard: { mode: 'on' } })).toBe(
      '/clipboard/mode must be one of off, internal, paste-in, copy-out, both',
    )
    expect(wrong({ globals: { wl_shm: { version: 0 } } })).toMatch(
      '/globals/wl_shm must be "allow", "deny" or',
    )
    expect(wrong({ globals: { 'WL SHM': 'deny' } })).toMatch('no proper name')
    expect(wrong({ identity: { titlePrefix: 'a\u202eb' } })).toMatch(
      '/identity/titlePrefix must be a plain text',
    )
    expect(wrong({ identity: { titlePrefix: 'x'.repeat(65) } })).toMatch('of 64 characters at most')
    expect(wrong([])).toBe('/ must be an object')
    expect(parsePolicy('{')._unsafeUnwrapErr().kind).toBe('not-json')
  })

  test('cannot be widened through the names of objects’ own properties', () => {
    expect(readPolicy(JSON.parse('{"__proto__":{}}'))._unsafeUnwrapErr().message).toMatch('is not known')
    expect(decideGlobal(DEFAULT_POLICY, table, 'constructor').kind).toBe('hide')
  })

  for (const name of Object.keys(NEVER)) {
    test(`can never allow ${name}`, () => {
      expect(readPolicy({ globals: { [name]: 'allow' } })._unsafeUnwrapErr().message).toMatch('never offered')
      expect(readPolicy({ globals: { [name]: { version: 1 } } }).isErr()).toBe(true)
      expect(decideGlobal(DEFAULT_POLICY, table, name)).toMatchObject({
        kind: 'hide',
        code: 'W-GLOBAL-NEVER',
      })
    })
  }

  test('has a schema that names every setting', () => {
    const properties = policySchema['properties'] as Record<string, unknown>
    expect(Object.keys(properties).sort()).toEqual(Object.keys(DEFAULT_POLICY).sort())
    expect(policySchema['additionalProperties']).toBe(false)
    expect(() => JSON.stringify(policySchema)).not.toThrow()
  })

  test('has each interface on one list only', () => {
    const all = [ALLOWED, ANSWERED, OPT_IN, NEVER].flatMap((list) => Object.keys(list))
    expect(new Set(all).size).toBe(all.length)
  })

  test('offers what is allowed, answered and opted in, and hides the rest', () => {
    const offers = (name: string, globals = {}) =>
      decideGlobal(readPolicy({ globals })._unsafeUnwrap(), table, name)
    for (const name of Object.keys(ALLOWED)) expect([name, offers(name).kind]).toEqual([name, 'relay'])
    for (const name of Object.keys(ANSWERED)) expect([name, offers(name).kind]).toEqual([name, 'answer'])
    for (const name of Object.keys(OPT_IN)) expect([name, offers(name).kind]).toEqual([name, 'hide'])
    expect(offers('zwp_pointer_constraints_v1', { zwp_pointer_constraints_v1: 'allow' }).kind).toBe('relay')
    expect(offers('wl_shm', { wl_shm: 'deny' }).kind).toBe('hide')
    expect(offers('wl_seat', { wl_seat: { version: 4 } })).toMatchObject({ version: 4 })
    expect(offers('never_heard_of_v1')).toMatchObject({ code: 'W-GLOBAL-UNKNOWN' })
    expect(offers('never_heard_of_v1', { never_heard_of_v1: 'allow' })).toMatchObject({ kind: 'hide' })
  })

  test('keeps from windows with frames what could hold the frame back, unless it is named', () => {
    for (const name of ['wp_fifo_manager_v1', 'wp_commit_timing_manager_v1']) {
      const decided = (policy: unknown) => decideGlobal(readPolicy(policy)._unsafeUnwrap(), table, name)
      const identity = { frame: { label: 'mail' } }
      expect(decided({})).toMatchObject({ kind: 'relay' })
      expect(decided({ identity })).toMatchObject({ kind: 'hide', code: 'W-GLOBAL-OPT-IN' })
      expect(decided({ identity, globals: { [name]: 'allow' } })).toMatchObject({ kind: 'relay' })
    }
  })
})

describe('explain', () => {
  const about = (name: string, policy = {}) =>
    explain(readPolicy(policy)._unsafeUnwrap(), extendedTable()._unsafeUnwrap(), name)

  test('says what becomes of a message, and through which global', () => {
    expect(about('wl_surface.frame')).toEqual({
      outcome: 'passed',
      why: [
        'wl_compositor, up to version 6: allowed by default',
        'validated against the protocol and passed on',
      ],
    })
    expect(about('wl_shm.create_pool')).toMatchObject({ outcome: 'judged' })
    expect(about('xdg_toplevel.set_title').why.at(-1)).toBe('1 rule looks at its values')
    expect(about('wl_data_source')).toMatchObject({ outcome: 'answered' })
    expect(about('zwlr_screencopy_frame_v1.copy').outcome).toBe('hidden')
    expect(about('zwp_locked_pointer_v1')).toMatchObject({ outcome: 'hidden' })
    expect(
      about('zwp_locked_pointer_v1', { globals: { zwp_pointer_constraints_v1: 'allow' } }),
    ).toMatchObject({
      outcome: 'passed',
    })
    expect(about('my_own')).toMatchObject({ outcome: 'unknown' })
    expect(about('wl_surface.explode')).toMatchObject({ outcome: 'unknown' })
  })
})

describe('a policy at work', () => {
  const spying = [
    { name: 1, interface: 'wl_compositor', version: 5 },
    { name: 2, interface: 'zwlr_screencopy_manager_v1', version: 3 },
    { name: 3, interface: 'zwp_pointer_constraints_v1', version: 1 },
    { name: 4, interface: 'wl_data_device_manager', version: 3 },
  ]

  test('hides globals and says so once, however many clients there are', async () => {
    await using unit = new Unit()
    for (let count = 0; count < 3; count++) {
      const { client } = await unit.started(spying)
      expect(client.offered('zwlr_screencopy_manager_v1')).toBeUndefined()
      expect(client.globals.filter((one) => one.interface === 'wl_data_device_manager')).toHaveLength(1)
    }
    expect(unit.codes().sort()).toEqual(['W-GLOBAL-NEVER', 'W-GLOBAL-OPT-IN'])
  })

  test('in a dry run lets pass what it would hide or refuse, and says so', async () => {
    await using unit = new Unit({ dryRun: true })
    const { client } = await unit.started(spying)
    expect(client.offered('zwlr_screencopy_manager_v1')).toBeDefined()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    client.send(surface, 'set_buffer_scale', 100)
    await client.sync()
    expect(unit.warnings.find(({ code }) => code === 'W-NUMBER')).toMatchObject({ passed: true })
    expect(unit.warnings.every(({ passed }) => passed)).toBe(true)
  })

  test('in a dry run still refuses what breaks the protocol', async () => {
    await using unit = new Unit({ dryRun: true })
    const { client } = await unit.started(spying)
    client.send(client.registry, 'bind', 500, 'wl_shm', 1, client.id())
    expect(await client.error()).toMatch('was not offered')
  })

  test('can be replaced: what is denied from now on is withdrawn, what is allowed is offered', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started(spying)
    const wl = client.bind('wl_compositor')
    const { name } = client.offered('wl_compositor')!
    await client.sync()
    unit.proxy.setPolicy(
      readPolicy({ globals: { wl_compositor: 'deny', zwp_pointer_constraints_v1: 'allow' } })._unsafeUnwrap(),
    )
    await client.sync()
    expect(client.offered('wl_compositor')).toBeUndefined()
    expect(client.offered('zwp_pointer_constraints_v1')).toBeDefined()
    // What is bound already stays; a bind that was on its way is harmless.
    client.make(wl, 'create_surface')
    client.send(client.registry, 'bind', name, 'wl_compositor', 1, client.id())
    await client.sync()
    expect(compositor.names().filter((one) => one === 'wl_registry.bind')).toHaveLength(1)
  })
})

describe('what could tell one machine from another', () => {
  test('is hidden: monitors have numbers for names, the same for every client of the unit', async () => {
    await using unit = new Unit({ seatName: 'unit' })
    for (let count = 0; count < 2; count++) {
      const { client, compositor } = await unit.started()
      client.bind('wl_output')
      client.bind('wl_seat')
      await client.sync()
      const output = compositor.newest('wl_output')
      compositor.send(output, 'geometry', 0, 0, 520, 290, 0, 'Dell', 'U2419 serial 123', 0)
      compositor.send(output, 'name', 'DP-3')
      compositor.send(output, 'description', 'Dell U2419 (DP-3)')
      compositor.send(compositor.newest('wl_seat'), 'name', 'seat-of-ann')
      const { args } = await client.next('wl_output.geometry')
      expect(args).toEqual([0, 0, 520, 290, 0, 'unknown', 'unknown', 0])
      expect((await client.next('wl_output.name')).args).toEqual(['output-1'])
      expect((await client.next('wl_output.description')).args).toEqual(['unknown'])
      expect((await client.next('wl_seat.name')).args).toEqual(['unit'])
    }
  })

  test('is shown where the policy says so', async () => {
    await using unit = new Unit({ outputIdentity: 'shown' })
    const { client, compositor } = await unit.started()
    client.bind('wl_output')
    await client.sync()
    compositor.send(compositor.newest('wl_output'), 'name', 'DP-3')
    expect((await client.next('wl_output.name')).args).toEqual(['DP-3'])
  })
})

describe('numbers', () => {
  const refused = async (act: (surface: number, client: import('../peers/client.js').FakeClient) => void) => {
    await using unit = new Unit()
    const { client } = await unit.started()
    act(client.make(client.bind('wl_compositor'), 'create_surface'), client)
    return await client.error()
  }

  for (const scale of [0, -1, 9, 0x7fffffff]) {
    test(`a buffer scale of ${scale} is refused`, async () => {
      expect(await refused((surface, client) => client.send(surface, 'set_buffer_scale', scale))).toMatch(
        '0: a buffer',
      )
    })
  }

  test('buffer scales of 1 and 8 pass', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    for (const scale of [1, 8]) client.send(surface, 'set_buffer_scale', scale)
    await client.sync()
  })
})
