// The site in a real browser: Debian's chromium (apt-get install chromium, or its path in CHROMIUM).
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface Site {
  entries(): { readonly import: string }[]
  convert(): Promise<{
    readonly app: { generateDocs(project: unknown, folder: string): Promise<void> }
    readonly project: unknown
  }>
}
const at = (path: string) => new URL(path, import.meta.url).href
const { convert, entries }: Site = await import(at('../../site/site.mjs'))
const { answerFrom }: { answerFrom(folder: string): Parameters<typeof createServer>[1] } = await import(
  at('../../site/answer.mjs')
)

const binary = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const folder = mkdtempSync(join(tmpdir(), 'docs-browser-'))
/** For those who look: kept where DOCS_SCREENSHOTS says. */
const screenshots = process.env['DOCS_SCREENSHOTS'] ?? join(folder, 'screenshots')

let server: Server
let browser: Browser
let base: string
const complaints: string[] = []

beforeAll(async () => {
  if (!existsSync(binary)) throw new Error(`there is no ${binary}: apt-get install chromium, or set CHROMIUM`)
  const { app, project } = await convert()
  await app.generateDocs(project, join(folder, 'site'))
  server = createServer(answerFrom(join(folder, 'site')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  mkdirSync(screenshots, { recursive: true })
  // A sandbox of its own is not to be had for root; it sees nothing but this site.
  browser = await chromium.launch({ executablePath: binary, args: ['--no-sandbox'], timeout: 120_000 })
}, 300_000)

afterAll(async () => {
  await browser?.close()
  server?.close()
  rmSync(folder, { recursive: true, force: true })
})

const desk = { width: 1280, height: 900 }
const phone = { width: 390, height: 844 }

async function blank(viewport = desk): Promise<Page> {
  const page = await browser.newPage({ viewport })
  page.setDefaultTimeout(60_000)
  const here = () => page.url().slice(base.length)
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      complaints.push(`${here()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`${here()}: ${error.message}`))
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(base))
      complaints.push(`${here()}: asks ${request.url()}`)
  })
  return page
}

async function visit(page: Page, path: string): Promise<void> {
  const answer = await page.goto(base + path)
  expect(answer?.status(), path).toBe(200)
}

async function open(path: string, viewport = desk): Promise<Page> {
  const page = await blank(viewport)
  await visit(page, path)
  return page
}

const guides = [
  'Getting_started',
  'Concepts',
  'Writing_a_host',
  'Sharing_a_store',
  'Displaying_windows',
  'Trust_policies',
  'Porting_to_a_capability_system',
  'POWER',
  'Security_model',
  'Troubleshooting_by_kind_of_error',
  'Architecture',
  'Specification',
  'Contributing',
  'Decisions',
].map((name) => `documents/${name}.html`)
const modules = entries().map((entry) => `modules/${entry.import.replace(/[^a-z-]/g, '_')}.html`)

describe('the site in a browser', () => {
  it('finds a symbol by its name, and leads to it', async () => {
    const page = await open('index.html')
    await page.locator('#tsd-search-trigger').click()
    await page.locator('#tsd-search-input').fill('openHost')
    const hit = page.locator('#tsd-search-results a', { hasText: /unit-runtime\/linux\.openHost$/ })
    await hit.waitFor()
    await page.screenshot({ path: join(screenshots, 'search.png') })
    await hit.click()
    await page.waitForURL(/openHost\.html/)
    await expect.poll(() => page.locator('h1').first().textContent()).toContain('openHost')
    await page.close()
  })

  it('finds words of guides, too', async () => {
    const page = await open('index.html')
    await page.locator('#tsd-search-trigger').click()
    await page.locator('#tsd-search-input').fill('troubleshooting')
    await page.locator('#tsd-search-results a[href*="Troubleshooting"]').first().click()
    await page.waitForURL(/Troubleshooting/)
    await page.close()
  })

  it('leads from the first page to a function in two clicks', async () => {
    const page = await open('index.html')
    await page.locator('.tsd-typography a', { hasText: '@spectrum/unit-graph' }).first().click()
    await page.waitForURL(/modules\/_spectrum_unit-graph\.html/)
    await page
      .locator('.col-content a[href*="functions/"]', { hasText: /^compose$/ })
      .first()
      .click()
    await page.waitForURL(/functions\/.*compose\.html/)
    await page.close()
  })

  it('links types of other packages to their pages', async () => {
    const page = await open('modules/_spectrum_unit-runtime.html')
    const links = page.locator(
      '.col-content a[href*="_spectrum_unit-graph"], .col-content a[href*="_spectrum_store-share"]',
    )
    expect(await links.count()).toBeGreaterThan(3)
    await page.close()
  })

  it('shows every module and every guide without an error', async () => {
    const page = await blank()
    for (const path of [...modules, ...guides]) {
      await visit(page, path)
      expect(await page.locator('h1').count(), path).toBeGreaterThan(0)
      if (guides.includes(path))
        await page.screenshot({ path: join(screenshots, `${path.split('/')[1]}.png`) })
    }
    await page.close()
  })

  it('can be read on a phone: nothing makes the page wider than its screen', async () => {
    const wide: string[] = []
    const page = await blank(phone)
    for (const path of ['index.html', ...modules, ...guides]) {
      await visit(page, path)
      const widths = '[document.documentElement.scrollWidth, document.documentElement.clientWidth]'
      const [content, screen] = await page.evaluate<[number, number]>(widths)
      if (content > screen) wide.push(`${path}: ${content} of ${screen}`)
      if (guides.includes(path))
        await page.screenshot({ path: join(screenshots, `phone-${path.split('/')[1]}.png`) })
    }
    expect(wide).toEqual([])
    await page.close()
  })

  it('leaves each line of a drawing whole on a phone: what is too long scrolls by itself', async () => {
    const page = await open('documents/Architecture.html', phone)
    const long = `(() => {
      const all = [...document.querySelectorAll('.tsd-typography pre')]
      const { scrollWidth, clientWidth, clientHeight } = all.find((pre) => pre.textContent.includes('═'))
      return [scrollWidth, clientWidth, clientHeight]
    })()`
    const [content, box, height] = await page.evaluate<[number, number, number]>(long)
    expect(content).toBeGreaterThan(box)
    // Two lines.
    expect(height).toBeLessThan(80)
    await page.close()
  })

  it('opens its menu on a phone, and leads on from there', async () => {
    const page = await open('index.html', phone)
    await page.locator('#tsd-toolbar-menu-trigger').click()
    const link = page.locator('.tsd-navigation a', { hasText: 'Getting started' }).first()
    await link.waitFor()
    await page.evaluate('Promise.all(document.getAnimations().map((one) => one.finished))')
    await page.screenshot({ path: join(screenshots, 'phone-menu.png') })
    await link.click()
    await page.waitForURL(/Getting_started/)
    await page.close()
  })

  it('needs no mouse: search, choose, follow, and see where one is', async () => {
    const page = await open('index.html')
    for (let presses = 0; presses < 10; presses++) {
      if ((await page.evaluate('document.activeElement?.id')) === 'tsd-search-trigger') break
      await page.keyboard.press('Tab')
    }
    expect(await page.evaluate('document.activeElement?.id')).toBe('tsd-search-trigger')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await page.keyboard.press('Enter')
    await page.keyboard.type('defineUnit')
    await page
      .locator('#tsd-search-results a', { hasText: /defineUnit$/ })
      .first()
      .waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.waitForURL(/defineUnit/)
    await page.close()
  })

  it('lets the keyboard follow the navigation to a guide', async () => {
    const page = await open('index.html')
    // The navigation is made by a script, after the page is there.
    await page.locator('.tsd-navigation a', { hasText: 'Getting started' }).first().waitFor()
    const chosen = () => page.evaluate('document.activeElement?.textContent?.trim()')
    await page.keyboard.press('Tab')
    expect(await chosen()).toBe('Skip to the navigation')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    expect(await chosen()).toBe('Getting started')
    await page.keyboard.press('Enter')
    await page.waitForURL(/Getting_started/)
    await page.close()
  })

  it('says nothing on the console and asks nobody else for anything, all the while', () => {
    expect(complaints).toEqual([])
  })
})
