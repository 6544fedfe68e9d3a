import { vi } from 'vitest'
import { Desktop, run } from './desktop.js'
import { HostKeyboard, KEY } from './keyboard.js'
import { HostPointer } from './pointer.js'
import type { Host } from './walk.js'

/** A screen, and a user in front of it. */
async function userOf(outer: Desktop, desktop: Desktop) {
  const [pointer, keyboard] = [await HostPointer.at(outer), await HostKeyboard.at(outer)]
  const close = async () => {
    pointer[Symbol.dispose]()
    keyboard[Symbol.dispose]()
    if (desktop !== outer) await desktop[Symbol.asyncDispose]()
    await outer[Symbol.asyncDispose]()
  }
  return { outer, desktop, pointer, keyboard, close }
}

export async function swayHost(): Promise<Host> {
  const desktop = await Desktop.sway()
  return {
    ...(await userOf(desktop, desktop)),
    titles: async () => (await desktop.windows()).map(({ title }) => title),
    toggleFullscreen: async () => void (await desktop.swaymsg('[title="mail"] fullscreen toggle')),
    whole: { x: 0, y: 0, width: 1_280, height: 720 },
  }
}

/** weston's own backend without a screen has no seat: in a window of sway it has that of sway. */
export async function westonHost(): Promise<Host> {
  const outer = await Desktop.sway()
  const desktop = await Desktop.westonIn(outer)
  const user = await userOf(outer, desktop)
  // What the user has comes to it by and by.
  const hasSeat = async () =>
    /capabilities: pointer keyboard/.test((await run(['wayland-info'], desktop.environment())).output)
  await vi.waitUntil(hasSeat, { timeout: 60_000 }).catch(async (failure) => {
    await user.close()
    throw failure
  })
  return {
    ...user,
    titles: async () => {
      const { output } = await run(['timeout', '2', 'weston-debug', 'scene-graph'], desktop.environment())
      return [...output.matchAll(/top-level window '([^\n]*?)' of /g)].map(([, title]) => title!)
    },
    toggleFullscreen: () => user.keyboard.press(KEY.meta, KEY.shift, KEY.f),
    // What weston would push off the screen is left free.
    whole: { x: 0, y: 0, width: 1_276, height: 700 },
  }
}
