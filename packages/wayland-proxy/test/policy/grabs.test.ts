import { describe, expect, test } from 'vitest'
import { USUAL_GLOBALS } from '../peers/compositor.js'
import { powers, Unit } from '../peers/unit.js'

const OLD_MS = 10_001

/** A window, and a user who may press a button in it. */
async function windowOf(unit: Unit) {
  const { client, compositor } = await unit.started(USUAL_GLOBALS)
  const wl = client.bind('wl_compositor')
  const shell = client.bind('xdg_wm_base')
  const seat = client.bind('wl_seat')
  client.make(seat, 'get_pointer')
  const window = () => {
    const surface = client.make(wl, 'create_surface')
    return client.make(shell, 'get_xdg_surface', surface)
  }
  const xdg = window()
  const toplevel = client.make(xdg, 'get_toplevel')
  const popupOf = (parent: number) => {
    const positioner = client.make(shell, 'create_positioner')
    const own = window()
    return { xdg: own, popup: client.make(own, 'get_popup', parent, positioner) }
  }
  await client.sync()
  const button = async (serial: number, state: 0 | 1) => {
    compositor.send(compositor.newest('wl_pointer'), 'button', serial, 0, 0x111, state)
    await client.next('wl_pointer.button')
  }
  const reached = async (name: string) => {
    await client.sync()
    return compositor.names().filter((one) => one === name).length
  }
  return { client, compositor, seat, xdg, toplevel, popupOf, button, reached }
}

describe('what takes the input', () => {
  const requests: [string, (seat: number, serial: number) => (number | null)[]][] = [
    ['move', (seat, serial) => [seat, serial]],
    ['resize', (seat, serial) => [seat, serial, 8]],
    ['show_window_menu', (seat, serial) => [seat, serial, 1, 2]],
  ]
  for (const [name, args] of requests) {
    test(`${name} needs the serial of something that the user did just now`, async () => {
      let now = powers.clock.now()
      await using unit = new Unit({}, { powers: { clock: { now: () => now } } })
      const { client, seat, toplevel, button, reached } = await windowOf(unit)
      client.send(toplevel, name, ...args(seat, 7))
      expect(await reached(`xdg_toplevel.${name}`)).toBe(0)
      expect(unit.codes()).toEqual(['W-GRAB'])
      await button(7, 1)
      client.send(toplevel, name, ...args(seat, 8))
      expect(await reached(`xdg_toplevel.${name}`)).toBe(0)
      client.send(toplevel, name, ...args(seat, 7))
      expect(await reached(`xdg_toplevel.${name}`)).toBe(1)
      now += OLD_MS
      client.send(toplevel, name, ...args(seat, 7))
      expect(await reached(`xdg_toplevel.${name}`)).toBe(1)
      expect(unit.endings).toEqual([])
    })
  }

  test('a menu may hold it after a press or a release, and so may what opens from it, however late', async () => {
    let now = powers.clock.now()
    await using unit = new Unit({}, { powers: { clock: { now: () => now } } })
    const { client, compositor, seat, xdg, popupOf, button, reached } = await windowOf(unit)
    const uncalled = popupOf(xdg)
    client.send(uncalled.popup, 'grab', seat, 3)
    expect(await reached('xdg_popup.grab')).toBe(0)
    await button(3, 1)
    await button(4, 0)
    const menu = popupOf(xdg)
    client.send(menu.popup, 'grab', seat, 4)
    expect(await reached('xdg_popup.grab')).toBe(1)
    const held = compositor.newest('xdg_popup')
    now += OLD_MS
    client.send(popupOf(menu.xdg).popup, 'grab', seat, 4)
    expect(await reached('xdg_popup.grab')).toBe(2)
    // From one that holds nothing, or nothing any more, it may not.
    client.send(popupOf(uncalled.xdg).popup, 'grab', seat, 4)
    compositor.send(held, 'popup_done')
    await client.next('xdg_popup.popup_done')
    client.send(popupOf(menu.xdg).popup, 'grab', seat, 4)
    expect(await reached('xdg_popup.grab')).toBe(2)
    expect(unit.endings).toEqual([])
  })

  test('in a dry run passes, and is told of', async () => {
    await using unit = new Unit({ dryRun: true })
    const { client, seat, toplevel, reached } = await windowOf(unit)
    client.send(toplevel, 'move', seat, 7)
    expect(await reached('xdg_toplevel.move')).toBe(1)
    expect(unit.warnings).toContainEqual(expect.objectContaining({ code: 'W-GRAB', passed: true }))
  })
})
