import { describe, expect, it } from 'vitest'
import { blocksOf, textOf } from './blocks.js'
import { fault, stepsOf } from './walk.js'

const page = (markdown: string) => stepsOf(blocksOf('docs/example.md', markdown), markdown)

describe('a page that is followed word by word', () => {
  it('is the guide for strangers: all that it shows is typed or written, up to a unit and its output', () => {
    const guide = 'docs/guides/getting-started.md'
    const steps = stepsOf(blocksOf(guide), textOf(guide))
    expect(steps.map(({ kind }) => kind)).toContain('write')
    const answered = steps.filter((step) => step.kind === 'type' && (step.answer?.length ?? 0) > 0)
    expect(answered.length).toBeGreaterThan(5)
  })

  it('has its commands typed, its answers compared and its files written, each with its line', () => {
    const markdown = [
      '```sh',
      'mkdir x',
      'cd x',
      '```',
      '',
      'Put this into `a.ts`:',
      '',
      '```ts',
      'run()',
      '```',
      '',
      '```console',
      '$ node a.ts',
      'one',
      'two',
      '$ true',
      '```',
    ]
    expect(page(markdown.join('\n'))).toEqual([
      { kind: 'type', line: 2, words: 'mkdir x', answer: undefined },
      { kind: 'type', line: 3, words: 'cd x', answer: undefined },
      { kind: 'write', line: 8, file: 'a.ts', text: 'run()\n' },
      { kind: 'type', line: 13, words: 'node a.ts', answer: ['one', 'two'] },
      { kind: 'type', line: 16, words: 'true', answer: [] },
    ])
  })

  it('leaves no block out: one that says not where it belongs cannot be followed', () => {
    expect(() => page('Like this:\n\n```ts\nrun()\n```\n')).toThrow('docs/example.md:3 does not say')
    expect(() => page('```console\nan answer to nothing\n```\n')).toThrow('docs/example.md:2 answers nothing')
  })

  it.each<[string, string[], boolean]>([
    ['one\ntwo\n', ['one', 'two'], true],
    ['one\ntwo\n', ['one'], false],
    ['one\n', ['one', 'two'], false],
    ['', [], true],
    ['words\n', [], false],
    ['took 3.1 s (1+1)\n', ['took … s (1+1)'], true],
    ['took 3.1 s\nmore\n', ['took …'], false],
    ['a\nb\nc\nd\n', ['a', '…', 'd'], true],
    ['a\nd\n', ['a', '…', 'd'], true],
    ['a\nb\n', ['a', '…', 'd'], false],
    ['one', ['one'], false],
  ])('takes %j for what is shown as %j: %j', (output, shown, fits) => {
    expect(fault(output, shown) === undefined).toBe(fits)
  })

  it('is held against no answer where it shows none', () => {
    expect(fault('anything', undefined)).toBeUndefined()
  })
})
