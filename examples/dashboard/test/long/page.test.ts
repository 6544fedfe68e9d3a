// The page in a real browser: Debian's chromium (apt-get install chromium, or its path in CHROMIUM).
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ok, okAsync } from 'neverthrow'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Command, Snapshot, UnitView } from '../../src/board/snapshot.js'
import type { Source } from '../../src/board/source.js'
import { systemClock } from '../../src/clock.js'
import { openDashboard } from '../../src/dashboard.js'
import { readPage } from '../../src/web/page-files.js'
import { serve } from '../../src/web/server.js'
import { newToken } from '../../src/web/token.js'
import { defineGraph, fakeHost, software } from '../hosts.js'
import { openBrowser, tabTo, tooWide, type Visit, visit } from './browser.js'

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

/** Says of everything that it is markup. */
class HostileSource implements Source {
  readonly revision = 1
  readonly commands: (Command & { readonly unit: string })[] = []
  readonly #markup = '<img src=x onerror="window.pwned=1"><script>window.pwned=2</script><b>bold</b>'

  snapshot(): Snapshot {
    const markup = this.#markup
    const unit: UnitView = {
      name: markup,
      state: markup as UnitView['state'],
      why: markup,
      restarts: 1,
      command: { argv: [markup], state: markup },
      software: [markup],
      injected: [markup],
      paths: 1,
      sharing: { rssBytes: 1, pssBytes: 1, sharesWith: [markup] },
      may: { start: true, stop: 'yes', inject: [markup] },
      hint: markup,
    }
    const plain: UnitView = { ...unit, name: 'mail' }
    return {
      host: { monitor: markup, accelerator: markup, why: markup },
      units: [unit, plain],
      edges: [
        {
          ...{
            unit: markup,
            need: '__proto__',
            service: markup,
            conditions: [markup],
            allowed: 0,
            refused: 0,
          },
          provider: { kind: 'constructor' as 'unit', name: markup },
        },
      ],
      memory: { rssBytes: 1, pssBytes: 1, savedBytes: 1, problem: markup },
      software: [markup],
      notices: [{ id: 1, unit: markup, action: 'start', state: 'failed', text: markup }],
    }
  }

  linesAfter(seen: ReadonlyMap<string, number>) {
    const lines = [{ seq: 1, at: 0, source: this.#markup, text: this.#markup }]
    return [this.#markup, 'mail'].filter((unit) => !seen.has(unit)).map((unit) => ({ unit, lines }))
  }

  watch(): Disposable {
    return { [Symbol.dispose]() {} }
  }

  command(unit: string, command: Command) {
    this.commands.push({ unit, ...command })
    return ok(1)
  }
}

async function serveSource(source: Source) {
  const token = newToken()
  const page = await readPage()
  const server = (await serve(source, { port: 0, token, page, clock: systemClock }))._unsafeUnwrap()
  const origin = `http://127.0.0.1:${server.port}`
  return {
    origin,
    address: `${origin}/#token=${token}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

describe('what is hostile', () => {
  it('stays text, whatever it is called and says', async () => {
    await using at = await serveSource(new HostileSource())
    await using seen = await visit(browser, at.address)
    await expect.poll(() => seen.page.locator('article.unit').count()).toBe(2)
    const details = seen.page.locator('details')
    for (const one of await details.all()) await one.locator('summary').click()
    await expect.poll(() => seen.page.locator('.log li').count()).toBe(2)
    expect(await seen.page.locator('main :is(img, script, b, iframe)').count()).toBe(0)
    expect(await seen.page.locator('h2').first().textContent()).toContain('<b>bold</b>')
    expect(await seen.page.locator('.log li').first().textContent()).toContain(
      '<script>window.pwned=2</script>',
    )
    expect(await seen.page.evaluate('window.pwned')).toBeUndefined()
    expect(await tooWide(seen.page)).toBe(0)
    await seen.picture('hostile')
    expect(seen.complaints).toEqual([])
  })

  it('could not become markup if the page made a mistake: the browser refuses', async () => {
    await using at = await serveSource(new HostileSource())
    await using seen = await visit(browser, at.address)
    const tries = [
      'document.body.innerHTML = "<b>x</b>"',
      'document.body.insertAdjacentHTML("beforeend", "<b>x</b>")',
      'document.write("<b>x</b>")',
      'trustedTypes.createPolicy("mine", { createHTML: (text) => text })',
    ]
    for (const script of tries) {
      const caught = await seen.page.evaluate<string>(
        `(() => { try { ${script}; return 'done' } catch (error) { return error.name } })()`,
      )
      expect([script, caught]).toEqual([script, 'TypeError'])
    }
    // What is put in by hand is not run, nor is what comes from elsewhere.
    await seen.page
      .evaluate(`
      const button = document.createElement('button')
      button.setAttribute('onclick', 'window.pwned = 4')
      document.body.append(button)
      button.click()
    `)
      .catch(() => {})
    expect(await seen.page.evaluate('window.pwned')).toBeUndefined()
    expect(seen.complaints.join('\n')).toContain('Trusted')
  })

  it('is another site, from which nothing can be seen, framed or commanded', async () => {
    const source = new HostileSource()
    await using at = await serveSource(source)
    const answered: string[] = []
    const evil = createServer((_, response) => {
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><title>evil</title><body></body>')
    })
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
    const { port } = evil.address() as AddressInfo
    await using elsewhere = await visit(browser, `http://127.0.0.1:${port}/`)
    elsewhere.page.on('response', (response) => {
      if (response.url().startsWith(at.origin))
        answered.push(`${response.request().resourceType()} ${response.status()}`)
    })
    const outcome = await elsewhere.page.evaluate<string[]>(`(async () => {
      const told = []
      const attempt = async (name, work) => told.push(name + ': ' + (await work().then(String, (error) => error.name)))
      const post = (mode, type) => fetch('${at.origin}/api/units/mail/stop', {
        method: 'POST', mode, headers: { 'content-type': type }, body: '{"now":true}',
      }).then((answer) => answer.type + ' ' + answer.status)
      const loaded = (element) => new Promise((resolve) => {
        element.onload = () => resolve('loaded')
        element.onerror = () => resolve('refused')
        document.body.append(element)
      })
      await attempt('read', () => fetch('${at.origin}/').then((answer) => answer.text()))
      await attempt('json', () => post('cors', 'application/json'))
      await attempt('plain', () => post('no-cors', 'text/plain'))
      await attempt('script', () => loaded(Object.assign(document.createElement('script'), { src: '${at.origin}/words.js' })))
      await attempt('image', () => loaded(Object.assign(document.createElement('img'), { src: '${at.origin}/icon.svg' })))
      await attempt('frame', async () => {
        const frame = Object.assign(document.createElement('iframe'), { src: '${at.origin}/' })
        await loaded(frame)
        return frame.contentWindow.length + ' ' + (frame.contentDocument === null)
      })
      return told
    })()`)
    expect(outcome).toEqual([
      'read: TypeError',
      'json: TypeError',
      expect.stringMatching(/^plain: (opaque 0|TypeError)$/),
      'script: refused',
      'image: refused',
      'frame: 0 true',
    ])
    await elsewhere.page.setContent(
      `<form method="post" action="${at.origin}/api/units/mail/start" enctype="text/plain"><input name='{"a":"' value='"}'></form>`,
    )
    await Promise.all([
      elsewhere.page.waitForURL(`${at.origin}/**`),
      elsewhere.page.evaluate('document.forms[0].submit()'),
    ])
    // The frame and the form, which a browser shows; of the others it says no more than that there was something.
    expect(answered).toEqual(['document 403', 'document 403'])
    expect(source.commands).toEqual([])
    evil.close()
  })
})
