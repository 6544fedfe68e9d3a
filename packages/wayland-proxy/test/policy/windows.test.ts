import { describe, expect, test } from 'vitest'
import type { Question } from '../../src/index.js'
import { type Connection, Unit } from '../peers/unit.js'

async function toplevelOf({ client, compositor }: Connection) {
  const surface = client.make(client.bind('wl_compositor'), 'create_surface')
  const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
  const toplevel = client.make(xdg, 'get_toplevel')
  await client.sync()
  const seen = async () => {
    compositor.send(compositor.newest('xdg_toplevel'), 'configure', 0, 0, new Uint8Array())
    await client.next('xdg_toplevel.configure')
  }
  return { surface, xdg, toplevel, seen }
}

const fullscreens = ({ compositor }: Connection) =>
  compositor.names().filter((name) => name === 'xdg_toplevel.set_fullscreen').length

describe('fullscreen', () => {
  test('is denied by default, and the window goes on', async () => {
    await using unit = new Unit()
    const connection = await unit.started()
    const { toplevel, seen } = await toplevelOf(connection)
    await seen()
    connection.client.send(toplevel, 'set_fullscreen', null)
    await connection.client.sync()
    expect(fullscreens(connection)).toBe(0)
    expect(unit.codes()).toContain('W-FULLSCREEN')
  })

  test('where it is allowed is not taken by a window that was never seen', async () => {
    await using unit = new Unit({ fullscreen: 'allow' })
    const connection = await unit.started()
    const { toplevel, seen } = await toplevelOf(connection)
    connection.client.send(toplevel, 'set_fullscreen', null)
    await connection.client.sync()
    expect(fullscreens(connection)).toBe(0)
    await seen()
    connection.client.send(toplevel, 'set_fullscreen', null)
    await connection.client.sync()
    expect(fullscreens(connection)).toBe(1)
  })

  for (const granted of [true, false]) {
    test(`is ${granted ? 'granted' : 'refused'} as the user answers`, async () => {
      const questions: Question[] = []
      const ask = async (question: Question) => {
        questions.push(question)
        return granted
      }
      await using unit = new Unit({ fullscreen: 'ask' }, { ask })
      const connection = await unit.started()
      const { toplevel, seen } = await toplevelOf(connection)
      await seen()
      connection.client.send(toplevel, 'set_fullscreen', null)
      await connection.client.sync()
      await connection.client.sync()
      expect(fullscreens(connection)).toBe(granted ? 1 : 0)
      expect(questions).toEqual([{ kind: 'fullscreen', session: 1 }])
    })
  }

  test('asked for with nobody there to answer is refused', async () => {
    await using unit = new Unit({ fullscreen: 'ask' })
    const connection = await unit.started()
    const { toplevel, seen } = await toplevelOf(connection)
    await seen()
    connection.client.send(toplevel, 'set_fullscreen', null)
    await connection.client.sync()
    expect(fullscreens(connection)).toBe(0)
  })

  test('answered after the window is gone does nothing', async () => {
    let answer: (granted: boolean) => void = () => undefined
    const ask = () => new Promise<boolean>((resolve) => (answer = resolve))
    await using unit = new Unit({ fullscreen: 'ask' }, { ask })
    const connection = await unit.started()
    const { toplevel, seen } = await toplevelOf(connection)
    await seen()
    connection.client.send(toplevel, 'set_fullscreen', null)
    connection.client.send(toplevel, 'destroy')
    await connection.client.sync()
    answer(true)
    await connection.client.sync()
    expect(fullscreens(connection)).toBe(0)
  })
})

describe('titles', () => {
  const identity = { titlePrefix: '[mail] ', appIdPrefix: 'unit.mail.' }

  test('have their prefix from before the window can be seen, also when the client never sets one', async () => {
    await using unit = new Unit({ identity })
    const connection = await unit.started()
    await toplevelOf(connection)
    const { compositor } = connection
    expect((await compositor.next('xdg_toplevel.set_title')).args).toEqual(['[mail] '])
    expect((await compositor.next('xdg_toplevel.set_app_id')).args).toEqual(['unit.mail.'])
  })

  const sent = async (title: string) => {
    await using unit = new Unit({ identity })
    const connection = await unit.started()
    const { toplevel } = await toplevelOf(connection)
    await connection.compositor.next('xdg_toplevel.set_title')
    connection.client.send(toplevel, 'set_title', title)
    return (await connection.compositor.next('xdg_toplevel.set_title')).args[0] as string
  }

  test('lose what could hide the prefix or run over it', async () => {
    expect(await sent('a\x1b[31m\u202eb\u200b\u00ad\u2066\ufeff\u{e0041}c\n\u2028d')).toBe('[mail] a[31mbcd')
    expect(await sent(`z${'\u0301'.repeat(40)}`)).toBe(`[mail] z${'\u0301'.repeat(4)}`)
    expect(await sent('\u3164\u115f')).toBe('[mail] ')
  })

  test('stay what people write', async () => {
    for (const title of ['naïve – “ok” ✓', 'Привет', '日本語', 'שלום', '👍🏽']) {
      expect(await sent(title)).toBe(`[mail] ${title}`)
    }
  })

  test('near 4096 bytes are cut so that prefix and title fit, between code points', async () => {
    expect(await sent('x'.repeat(4_080))).toBe(`[mail] ${'x'.repeat(248)}`)
    const wide = await sent('😀'.repeat(1_000))
    expect(new TextEncoder().encode(wide).length).toBeLessThanOrEqual(1_024)
    expect(wide.endsWith('😀')).toBe(true)
  })

  test('that are no text, or no UTF-8, neither end the client nor reach the compositor', async () => {
    await using unit = new Unit({ identity })
    const connection = await unit.started()
    const { toplevel } = await toplevelOf(connection)
    await connection.compositor.next('xdg_toplevel.set_title')
    connection.client.raw(
      new Uint8Array([
        ...new Uint8Array(Uint32Array.from([toplevel, (16 << 16) | 2, 4]).buffer),
        0xff,
        0xfe,
        0x41,
        0,
      ]),
    )
    expect((await connection.compositor.next('xdg_toplevel.set_title')).args).toEqual([
      '[mail] \ufffd\ufffdA',
    ])
  })

  test('app ids have theirs', async () => {
    await using unit = new Unit({ identity })
    const connection = await unit.started()
    const { toplevel } = await toplevelOf(connection)
    await connection.compositor.next('xdg_toplevel.set_app_id')
    connection.client.send(toplevel, 'set_app_id', 'foot')
    expect((await connection.compositor.next('xdg_toplevel.set_app_id')).args).toEqual(['unit.mail.foot'])
  })
})

describe('what the proxy answers itself', () => {
  test('decoration: programs draw their own', async () => {
    await using unit = new Unit()
    const connection = await unit.started()
    const { toplevel } = await toplevelOf(connection)
    const { client } = connection
    const decoration = client.make(
      client.bind('zxdg_decoration_manager_v1'),
      'get_toplevel_decoration',
      toplevel,
    )
    expect((await client.next('zxdg_toplevel_decoration_v1.configure')).args).toEqual([1])
    client.send(decoration, 'set_mode', 2)
    expect((await client.next('zxdg_toplevel_decoration_v1.configure')).args).toEqual([1])
    client.bind('org_kde_kwin_server_decoration_manager')
    expect((await client.next('org_kde_kwin_server_decoration_manager.default_mode')).args).toEqual([1])
  })

  test('decoration: programs draw none where the proxy draws a frame', async () => {
    await using unit = new Unit({ identity: { frame: { label: 'mail' } } })
    const connection = await unit.started()
    const { toplevel } = await toplevelOf(connection)
    const { client } = connection
    const decoration = client.make(
      client.bind('zxdg_decoration_manager_v1'),
      'get_toplevel_decoration',
      toplevel,
    )
    expect((await client.next('zxdg_toplevel_decoration_v1.configure')).args).toEqual([2])
    client.send(decoration, 'set_mode', 1)
    expect((await client.next('zxdg_toplevel_decoration_v1.configure')).args).toEqual([1])
    client.bind('org_kde_kwin_server_decoration_manager')
    expect((await client.next('org_kde_kwin_server_decoration_manager.default_mode')).args).toEqual([2])
  })

  test('decoration: a program that insists on its own is not told otherwise again and again', async () => {
    for (const frame of ['none', { label: 'mail' }]) {
      await using unit = new Unit({ identity: { frame } })
      const connection = await unit.started()
      const { surface } = await toplevelOf(connection)
      const { client } = connection
      const manager = client.bind('org_kde_kwin_server_decoration_manager')
      const decoration = client.make(manager, 'create', surface)
      for (const mode of [1, 1, 2, 2, 1]) client.send(decoration, 'request_mode', mode)
      await client.sync()
      const said = client.seen.filter(({ name }) => name === 'org_kde_kwin_server_decoration.mode')
      expect(said.map(({ args }) => args[0])).toEqual(frame === 'none' ? [1] : [2, 1, 2, 1])
    }
  })

  test('activation: a token comes, and is good for nothing', async () => {
    await using unit = new Unit()
    const connection = await unit.started()
    const { surface } = await toplevelOf(connection)
    const { client, compositor } = connection
    const manager = client.bind('xdg_activation_v1')
    const token = client.make(manager, 'get_activation_token')
    client.send(token, 'commit')
    const { args } = await client.next('xdg_activation_token_v1.done')
    client.send(manager, 'activate', args[0]!, surface)
    await client.sync()
    expect(compositor.names().some((name) => name.includes('activation'))).toBe(false)
    expect(unit.codes()).toContain('W-ACTIVATION')
  })

  test('keeping the screen on, and the bell: accepted, and not passed on', async () => {
    await using unit = new Unit()
    const connection = await unit.started()
    const { surface } = await toplevelOf(connection)
    const { client, compositor } = connection
    const before = compositor.seen.length
    client.make(client.bind('zwp_idle_inhibit_manager_v1'), 'create_inhibitor', surface)
    client.send(client.bind('xdg_system_bell_v1'), 'ring', surface)
    await client.sync()
    expect(compositor.names().slice(before)).toEqual(['wl_display.sync'])
  })

  test('is passed on where the policy says so and the compositor has it', async () => {
    await using unit = new Unit({ idleInhibit: 'allow' })
    const { client } = await unit.started([{ name: 1, interface: 'zwp_idle_inhibit_manager_v1', version: 1 }])
    expect(client.globals.filter((one) => one.interface === 'zwp_idle_inhibit_manager_v1')).toHaveLength(1)
  })
})
