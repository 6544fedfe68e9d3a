// The whole program with real virtual machines (emulated where KVM does not boot a guest), commanded from a browser.
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser, visit } from './browser.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const SLOW = { timeout: 300_000 }

let browser: Browser
let state: string

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'dashboard-state-'))
  browser = await openBrowser()
}, 300_000)

afterAll(async () => {
  await browser?.close()
  await rm(state, { recursive: true, force: true })
})

/** The program as a user starts it. */
function program(...words: readonly string[]) {
  const loader = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
  const child = spawn(
    process.execPath,
    ['--import', loader, join(root, 'examples/dashboard/src/main.ts'), ...words],
    {
      cwd: state,
      env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.base.json'), XDG_STATE_HOME: state },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk
    })
  const ended = new Promise<string>((resolve) => {
    child.on('close', (code, signal) => resolve(`${code ?? signal}`))
  })
  return {
    child,
    said: () => said,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

const addressIn = (said: string) => /http:\S+#token=\S+/.exec(said)?.[0]
const hosts = () => readdir(join(state, 'spectrum', 'hosts')).catch(() => [])

describe('the program with virtual machines', () => {
  it('shows real units, wakes, extends, stops and restarts them, and leaves nothing on Ctrl-C', async () => {
    await using at = program()
    await expect.poll(() => addressIn(at.said()), SLOW).toBeDefined()
    await using seen = await visit(browser, addressIn(at.said())!)
    const reaches = (unit: string, wanted: string) => expect.poll(() => seen.state(unit), SLOW).toBe(wanted)
    const answer = (unit: string) => seen.card(unit).locator('.answer').textContent()

    await reaches('counter', 'running')
    await reaches('abacus', 'running')
    await reaches('colours', 'asleep')
    await seen.card('counter').locator('summary').click()
    await expect
      .poll(() => seen.card('counter').locator('.log').textContent(), SLOW)
      .toContain('counting as process')
    await expect
      .poll(() => seen.page.locator('#memory-words').textContent(), SLOW)
      .toMatch(/[1-9]\S* MiB saved\.$/)
    await expect.poll(() => seen.card('counter').textContent(), SLOW).toMatch(/Shares withabacus/)

    await seen.button('colours', 'Start').click()
    await reaches('colours', 'running')
    await seen.button('counter', 'Add').click()
    await expect.poll(() => answer('counter'), SLOW).toMatch(/has debugger now: \d+ store paths in \d+ ms/)
    await expect.poll(() => seen.card('counter').locator('dd').allTextContents()).toContain('demo-peek')
    await seen.picture('machines')

    await seen.button('counter', 'Stop').click()
    await reaches('counter', 'stopped')
    await seen.button('counter', 'Start').click()
    await reaches('counter', 'running')
    // A fresh machine has what its graph grants it, and not what was added.
    expect(await seen.card('counter').locator('dd').allTextContents()).not.toContain('demo-peek')
    expect(seen.complaints).toEqual([])

    expect(await hosts()).toHaveLength(1)
    at.child.kill('SIGINT')
    await expect
      .poll(() => seen.page.locator('#connection').textContent())
      .toBe('The host program has ended.')
    expect(await at.ended).toBe('0')
    expect(at.said()).toMatch(/\nended +nothing is left\n$/)
    expect(at.said().match(/token=/g)).toHaveLength(1)
    expect(await hosts()).toEqual([])
  })

  it('visits itself and ends where nobody is there to look', async () => {
    await using at = program('--once')
    expect(await at.ended).toBe('0')
    expect(at.said()).toMatch(/^unit +counter: running, \d+ store paths$/m)
    expect(at.said()).toMatch(/^edge +abacus\.greet goes to colours$/m)
    expect(at.said()).toMatch(/\nended +nothing is left\n$/)
    expect(await hosts()).toEqual([])
  })
})
