import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { page, pagePath, requests } from '../generate/coverage.js'

test('every request of the header has a method, or a reason why it has none', () => {
  const without = requests().filter(({ methods, reason }) => methods.length === 0 && reason === undefined)
  expect(without.map(({ name }) => name)).toEqual([])
})

test('no request has both a method and a reason to have none', () => {
  const both = requests().filter(({ methods, reason }) => methods.length > 0 && reason !== undefined)
  expect(both.map(({ name }) => name)).toEqual([])
})

const remedy =
  'run: npx tsx --tsconfig tsconfig.base.json packages/kvm-ioctl/generate/coverage.ts && npx biome check --config-path=.biome.json --write docs'

test('the page lists every request with the architectures and methods that it has now', () => {
  expect(withoutTests(readFileSync(pagePath, 'utf8')), remedy).toEqual(withoutTests(page()))
})

test('the page names no test that is not there', () => {
  const now = testsByRequest(page())
  for (const [request, named] of testsByRequest(readFileSync(pagePath, 'utf8')))
    expect([request, named.filter((test) => !now.get(request)?.includes(test))], remedy).toEqual([
      request,
      [],
    ])
})

/** The cells of each row of the table, without the padding that the formatter adds. */
const rowsOf = (text: string) =>
  [...text.matchAll(/^\| `.*$/gm)].map(([row]) =>
    row
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  )

const withoutTests = (text: string) =>
  rowsOf(text).map(([request, where, method]) => [request, where, method])

const testsByRequest = (text: string) =>
  new Map(rowsOf(text).map(([request, , , tests]) => [request, tests === '—' ? [] : tests!.split(', ')]))
