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

test('the page of what is covered is current', () => {
  const remedy =
    'run: npx tsx --tsconfig tsconfig.base.json packages/kvm-ioctl/generate/coverage.ts && npx biome check --config-path=.biome.json --write docs'
  expect(normal(readFileSync(pagePath, 'utf8')), remedy).toBe(normal(page()))
})

/** The formatter pads the cells of tables. */
const normal = (text: string) => text.replace(/ +\|/g, ' |').replace(/-{3,}/g, '---')
