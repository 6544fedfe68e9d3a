// The page in a real browser: Debian's chromium (apt-get install chromium, or its path in CHROMIUM).
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ok } from 'neverthrow'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Command, Snapshot, UnitView } from '../../src/board/snapshot.js'
import type { Source } from '../../src/board/source.js'
import { openBrowser, tooWide, visit } from './browser.js'
import { serveSource } from './serve-source.js'

let browser: Browser
beforeAll(async () => {
  browser = await openBrowser()
}, 300_000)
afterAll(() => browser?.close())

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
