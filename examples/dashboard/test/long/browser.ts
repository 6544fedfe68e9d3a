import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const binary = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
/** For those who look. */
const screenshots = process.env['DASHBOARD_SCREENSHOTS'] ?? join(tmpdir(), 'dashboard-screenshots')

export async function openBrowser(): Promise<Browser> {
  if (!existsSync(binary)) throw new Error(`there is no ${binary}: apt-get install chromium, or set CHROMIUM`)
  mkdirSync(screenshots, { recursive: true })
  // A sandbox of its own is not to be had for root; it sees nothing but these pages.
  return chromium.launch({ executablePath: binary, args: ['--no-sandbox'], timeout: 120_000 })
}

/** A page in a profile of its own, and what it complains of. */
export async function visit(browser: Browser, address: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const complaints: string[] = []
  const { origin } = new URL(address)
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) complaints.push(`asks ${request.url()}`)
  })
  await page.goto(address)
  const card = (unit: string) => page.locator('article.unit', { has: page.locator(`h2:text-is("${unit}")`) })
  return {
    page,
    context,
    complaints,
    card,
    state: (unit: string) => card(unit).locator('.state').textContent(),
    button: (unit: string, name: string) => card(unit).getByRole('button', { name, exact: true }),
    picture: (name: string) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true }),
    [Symbol.asyncDispose]: () => context.close(),
  }
}

export type Visit = Awaited<ReturnType<typeof visit>>

/** Presses Tab until the focus is where it is wanted, as somebody without a mouse does. */
export async function tabTo(page: Page, where: string): Promise<void> {
  for (let presses = 0; presses < 80; presses += 1) {
    const focus = 'document.activeElement?.closest("article")?.querySelector("h2")?.textContent'
    const at = await page.evaluate<string>(
      `[${focus}, document.activeElement?.ariaLabel ?? document.activeElement?.textContent].join(' ')`,
    )
    if (at === where) return
    await page.keyboard.press('Tab')
  }
  expect(where).toBe('where the Tab key leads')
}

/** How much wider than the screen the page is. */
export const tooWide = (page: Page) =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
