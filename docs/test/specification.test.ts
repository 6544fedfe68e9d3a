import { describe, expect, it } from 'vitest'
import { type Binding, bindingsOf, printsRow, titlesIn } from './bindings.js'
import { textOf } from './blocks.js'

const sections = bindingsOf(textOf('docs/SPECIFICATION.md'))
const all = [...sections.values()].flat()

/** When `npm test` runs a file, from where it lies. */
function runOf(file: string): string {
  if (/\/bench\//.test(file)) return 'bench'
  if (/^docs\/test\//.test(file)) return 'once'
  if (/\/test\/long\//.test(file)) return 'long'
  // The promises of a suite hold where the suite is used, in machines.
  return /\/test\/guest\/|\/src\/conformance(\.ts$|\/)/.test(file) ? 'guest' : 'fast'
}

const exists = ({ file, title }: Binding) =>
  runOf(file) === 'bench' ? printsRow(file, title) : titlesIn(file).has(title)

describe('the specification', () => {
  it('binds each of the ten promises of the design to something that is run', () => {
    for (let promise = 1; promise <= 10; promise++)
      expect(sections.get(`${promise}`), `promise ${promise}`).not.toHaveLength(0)
    expect([...sections.keys()].filter((name) => /^\d+$/.test(name))).toHaveLength(10)
  })

  it('names no test and no figure that is not there', () => {
    expect(all.length).toBeGreaterThan(50)
    expect(all.filter((binding) => !exists(binding))).toEqual([])
  })

  it('says of each test when it is run', () => {
    expect(all.filter(({ run, file }) => run !== runOf(file))).toEqual([])
  })

  it('says of each row what executed the guests', () => {
    const known = ['none', 'TCG', 'KVM in the lab', 'nested PVM', 'TCG, nested PVM']
    expect(all.filter(({ accelerator }) => !known.includes(accelerator))).toEqual([])
  })
})

describe('a binding', () => {
  const file = 'docs/test/specification.test.ts'

  it('is one to the exact title only', () => {
    const title = 'names no test and no figure that is not there'
    expect(titlesIn(file).has(title)).toBe(true)
    expect(titlesIn(file).has(title.slice(1))).toBe(false)
    // In the file, but no title: a comment, a text, a call of something else.
    expect(titlesIn(file).has('no test of this name')).toBe(false)
    expect(titlesIn('docs/test/nothing.test.ts').has(title)).toBe(false)
  })

  it('to a figure needs more than a place where anything fits', () => {
    const bench = 'packages/unit-runtime/bench/memory.ts'
    expect(printsRow(bench, 'memory: 5 units, Pss, against virtio-blk')).toBe(true)
    expect(printsRow(bench, 'memory: 5 units, Pss, against another')).toBe(false)
    expect(printsRow(bench, 'anything at all')).toBe(false)
  })

  it('is refused where a row has none', () => {
    expect(() => bindingsOf('## 1. A\n| a | fast | none | see › `b` |\n')).toThrow('binds nothing')
  })
})
