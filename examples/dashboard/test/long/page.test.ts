// The page in a real browser: Debian's chromium (apt-get install chromium, or its path in CHROMIUM).
import { ok, okAsync } from 'neverthrow'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Command, Snapshot, UnitView } from '../../src/board/snapshot.js'
import type { Source } from '../../src/board/source.js'
import { openDashboard } from '../../src/dashboard.js'
import { defineGraph, fakeHost, software } from '../hosts.js'
import { openBrowser, tabTo, tooWide, type Visit, visit } from './browser.js'
import { serveSource } from './serve-source.js'

const phone = { viewport: { width: 375, height: 740 } }
const MEBIBYTE = 2 ** 20

let browser: Browser
beforeAll(async () => {
  browser = await openBrowser()
}, 300_000)
afterAll(() => browser?.close())

/** A fake host on a page, with all of its units up. */
async function dashboard(port = 0) {
  const fake = await fakeHost()
  const mebibytes = (rss: number, pss: number) => ({
    rssBytes: rss * MEBIBYTE,
    pssBytes: pss * MEBIBYTE,
    savedBytes: (rss - pss) * MEBIBYTE,
  })
  fake.host.sharing = () =>
    okAsync({
      ...mebibytes(30, 10),
      blobs: [],
      paths: [],
      units: [...fake.host.units.keys()].map((unit) => ({
        unit,
        ...mebibytes(10, 3.3),
        sharesWith: ['vault'],
      })),
      proof: { kind: 'frames' },
    })
  const opened = (await openDashboard(fake.host, { graph: defineGraph(), software, port }))._unsafeUnwrap()
  opened.startAll()
  return {
    ...fake,
    dashboard: opened,
    address: opened.address,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]()
      await fake[Symbol.asyncDispose]()
    },
  }
}

async function reaches(at: Visit, unit: string, state: string) {
  await expect.poll(() => at.state(unit)).toBe(state)
}

async function allRun(at: Visit) {
  for (const unit of ['mail', 'vault', 'worker']) await reaches(at, unit, 'running')
  await reaches(at, 'sleeper', 'asleep')
}

describe('the page in a browser', () => {
  it('lists units, states, wires and memory, and says nothing on the console', async () => {
    await using host = await dashboard()
    await using at = await visit(browser, host.address)
    await allRun(at)
    expect(await at.page.locator('article.unit h2').allTextContents()).toEqual([
      'mail',
      'vault',
      'worker',
      'sleeper',
    ])
    expect(await at.page.locator('#edge-list strong').allTextContents()).toEqual([
      'mail.sign → vault',
      'mail.other → sleeper',
      'mail.spare → nothing',
      'mail.note → the host’s note',
    ])
    expect(await at.page.locator('#edge-list span').first().textContent()).toBe(
      'org.example.sign, at most 1 each minute, 0 calls allowed, 0 refused',
    )
    await expect
      .poll(() => at.page.locator('#memory-words').textContent())
      .toBe(
        'The units hold 10.0 MiB of the store. Each with a copy of its own, they would hold 30.0 MiB: 20.0 MiB saved.',
      )
    await expect.poll(() => at.card('worker').textContent()).toContain('10.0 MiB; its share is 3.3 MiB')
    await expect.poll(() => at.page.title()).toBe('3 of 4 units run')
    await at.picture('desk')
    expect(at.complaints).toEqual([])
  })

  it('takes the token out of the address bar, and keeps it for its tab alone', async () => {
    await using host = await dashboard()
    await using at = await visit(browser, host.address)
    await allRun(at)
    expect(at.page.url()).toBe(host.address.replace(/#.*/, ''))
    await at.page.reload()
    await allRun(at)
    expect(await at.context.cookies()).toEqual([])
    expect(await at.page.evaluate('localStorage.length')).toBe(0)
    const other = await at.context.newPage()
    await other.goto(at.page.url())
    await expect.poll(() => other.locator('#connection').textContent()).toContain('no valid token')
    expect(await other.locator('article.unit').count()).toBe(0)
    expect(at.complaints).toEqual([])
  })

  it('shows what changes when it does, without being asked', async () => {
    await using host = await dashboard()
    await using at = await visit(browser, host.address)
    await allRun(at)
    await at.page.evaluate('document.body.dataset.kept = "yes"')
    host.guests.get('worker')!.crash()
    await reaches(at, 'worker', 'failed')
    expect(await at.card('worker').locator('.why').textContent()).toContain('died')
    await at.card('worker').locator('summary').click()
    await expect.poll(() => at.card('worker').locator('.log').textContent()).toContain('host failed')
    expect(await at.page.evaluate('document.body.dataset.kept')).toBe('yes')
    expect(at.complaints).toEqual([])
  })

  it('starts, stops and injects', async () => {
    await using host = await dashboard()
    await using at = await visit(browser, host.address)
    await allRun(at)
    await at.button('worker', 'Add').click()
    await expect.poll(() => at.card('worker').locator('.answer').textContent()).toContain('has debugger now')
    await expect.poll(() => at.card('worker').locator('dd').allTextContents()).toContain('tool')
    expect(host.host.units.get('worker')!.closure.paths).toHaveLength(2)
    await at.button('worker', 'Stop').click()
    await reaches(at, 'worker', 'stopped')
    await at.button('worker', 'Start').click()
    await reaches(at, 'worker', 'running')
    await at.button('sleeper', 'Start').click()
    await reaches(at, 'sleeper', 'running')
    await at.button('vault', 'Stop').click()
    await reaches(at, 'vault', 'stopped')
    await expect
      .poll(() => at.card('vault').locator('.answer').textContent())
      .toContain('Stop "mail", "sleeper" first')
    expect(at.complaints).toEqual([])
  })

  it('needs no mouse, keeps the focus, and shows where it is', async () => {
    await using host = await dashboard()
    await using at = await visit(browser, host.address)
    await allRun(at)
    const { page } = at
    await tabTo(page, 'worker Software for worker')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await at.picture('keyboard')
    await page.keyboard.press('Enter')
    await expect.poll(() => at.card('worker').locator('.answer').textContent()).toContain('has debugger now')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Add')
    await page.keyboard.press('Shift+Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Stop')
    await page.keyboard.press('Space')
    await reaches(at, 'worker', 'stopped')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Stop')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await reaches(at, 'worker', 'running')
    await tabTo(page, 'worker Log')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('Log of worker')
    await expect.poll(() => at.card('worker').getByRole('status').textContent()).toBe('started')
    expect(at.complaints).toEqual([])
  })

  it('fits on a phone, with room for fingers', async () => {
    await using host = await dashboard()
    await using at = await visit(browser, host.address, { ...phone, hasTouch: true, isMobile: true })
    await allRun(at)
    await at.card('worker').locator('summary').tap()
    expect(await tooWide(at.page)).toBe(0)
    for (const button of await at.page.locator('button:visible, select:visible').all())
      expect((await button.boundingBox())!.height).toBeGreaterThanOrEqual(44)
    await at.button('sleeper', 'Start').tap()
    await reaches(at, 'sleeper', 'running')
    await at.picture('phone')
    expect(at.complaints).toEqual([])
  })

  it('is dark where the user has it dark', async () => {
    await using host = await dashboard()
    await using at = await visit(browser, host.address, { colorScheme: 'dark' })
    await allRun(at)
    const grounds: unknown[] = []
    for (const colorScheme of ['dark', 'light'] as const) {
      await at.page.emulateMedia({ colorScheme })
      if (colorScheme === 'dark') await at.picture('dark')
      grounds.push(await at.page.evaluate('getComputedStyle(document.body).backgroundColor'))
    }
    expect(grounds).toEqual(['rgb(18, 22, 29)', 'rgb(246, 247, 249)'])
    expect(at.complaints).toEqual([])
  })

  it('says that the host program has ended, and asks no more', async () => {
    const host = await dashboard()
    await using at = await visit(browser, host.address)
    await allRun(at)
    await host[Symbol.asyncDispose]()
    await expect.poll(() => at.page.locator('#connection').textContent()).toBe('The host program has ended.')
    expect(at.complaints).toEqual([])
  })

  it('takes the address of the next run in the same tab', async () => {
    const first = await dashboard()
    await using at = await visit(browser, first.address)
    await allRun(at)
    await first[Symbol.asyncDispose]()
    await using second = await dashboard(Number(new URL(first.address).port))
    expect(second.address.split('#')[0]).toBe(first.address.split('#')[0])
    await at.page.goto(second.address)
    await expect.poll(() => at.page.locator('#connection').textContent()).toBe('Live')
    await allRun(at)
    expect(at.page.url()).not.toContain('token')
  })
})

/** Has one unit, which never comes to the end of its stop. */
class SlowSource implements Source {
  revision = 1
  readonly commands: Command[] = []
  readonly #watchers = new Set<() => void>()

  snapshot(): Snapshot {
    const isStopping = this.commands.length > 0
    const unit: UnitView = {
      name: 'mail',
      state: isStopping ? 'stopping' : 'running',
      ...{ restarts: 0, software: [], injected: [], paths: 1 },
      may: { start: false, stop: isStopping ? 'now' : 'yes', inject: [] },
    }
    return {
      host: { monitor: 'none', accelerator: 'none', why: 'a test' },
      ...{ units: [unit], edges: [], software: [], notices: [] },
      memory: { rssBytes: 0, pssBytes: 0, savedBytes: 0 },
    }
  }

  linesAfter() {
    return []
  }

  watch(onChange: () => void): Disposable {
    this.#watchers.add(onChange)
    return { [Symbol.dispose]: () => void this.#watchers.delete(onChange) }
  }

  command(_unit: string, command: Command) {
    this.commands.push(command)
    this.revision += 1
    for (const watcher of this.#watchers) watcher()
    return ok(this.commands.length)
  }
}

describe('a second click', () => {
  it('on what was "Stop" a moment ago does not end the unit at once, and a later one does', async () => {
    const source = new SlowSource()
    await using served = await serveSource(source)
    await using at = await visit(browser, served.address)
    const stop = at.button('mail', 'Stop')
    await stop.waitFor()
    // As soon as it has become the other button.
    await at.page.evaluate(`(() => {
      const button = [...document.querySelectorAll('button')].find((one) => one.textContent === 'Stop')
      new MutationObserver((_, observer) => {
        if (button.textContent !== 'End now') return
        observer.disconnect()
        button.click()
        button.dataset.clickedAgain = 'yes'
      }).observe(button, { childList: true, characterData: true, subtree: true })
    })()`)
    await stop.click()
    const end = at.button('mail', 'End now')
    await expect.poll(() => end.getAttribute('data-clicked-again')).toBe('yes')
    await expect.poll(() => end.getAttribute('aria-disabled')).toBe('false')
    expect(source.commands).toEqual([{ kind: 'stop', now: false }])
    await end.click()
    await expect.poll(() => source.commands.at(-1)).toEqual({ kind: 'stop', now: true })
    expect(at.complaints).toEqual([])
  })
})
