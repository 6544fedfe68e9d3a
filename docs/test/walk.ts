import type { Block } from './blocks.js'

/** What a page has its readers do next. */
export type Step =
  | {
      readonly kind: 'type'
      readonly line: number
      /** What is typed, with `…` where the reader puts something in. */
      readonly words: string
      /** The lines that the page shows as the answer; `undefined` where it shows none. */
      readonly answer: readonly string[] | undefined
    }
  | { readonly kind: 'write'; readonly line: number; readonly file: string; readonly text: string }

/**
 * All that a page has its readers do, in order: each line of an `sh` block and each line behind a `$` of a `console` block is
 * typed, and each block behind "Put this into `FILE`" is written. A block that is none of these cannot be followed.
 */
export function stepsOf(blocks: readonly Block[], markdown: string): Step[] {
  const lines = markdown.split('\n')
  return blocks.flatMap((block): Step[] => {
    const { line, language, text } = block
    if (language === 'sh')
      return typed(text).map(([at, words]) => ({ kind: 'type', line: line + at, words, answer: undefined }))
    if (language === 'console') return answered(block)
    const above =
      lines
        .slice(0, line - 1)
        .join('\n')
        .trimEnd()
        .split('\n\n')
        .at(-1) ?? ''
    const file = /Put this into\s+`([^`]+)`/.exec(above)?.[1]
    if (file === undefined) throw new Error(`${block.page}:${line} does not say into which file it is put`)
    return [{ kind: 'write', line, file, text }]
  })
}

const typed = (text: string): [number, string][] =>
  text.split('\n').flatMap((words, at): [number, string][] => (words === '' ? [] : [[at + 1, words]]))

function answered({ page, line, text }: Block): Step[] {
  const steps: { kind: 'type'; line: number; words: string; answer: string[] }[] = []
  for (const [at, said] of text.split('\n').slice(0, -1).entries())
    if (said.startsWith('$ '))
      steps.push({ kind: 'type', line: line + at + 1, words: said.slice(2), answer: [] })
    else if (steps.length === 0) throw new Error(`${page}:${line + at + 1} answers nothing`)
    else steps.at(-1)!.answer.push(said)
  return steps
}

/**
 * What is wrong with an output that should look like this, or nothing. `…` stands for anything within its line, and a
 * line of nothing else for any number of lines.
 */
export function fault(output: string, shown: readonly string[] | undefined): string | undefined {
  if (shown === undefined) return undefined
  const pattern = shown.map((line) =>
    line === '…' ? '(?:.*\n)*?' : `${line.split('…').map(escaped).join('.*')}\n`,
  )
  return new RegExp(`^${pattern.join('')}$`).test(output)
    ? undefined
    : `, and did not answer as the page shows:\n${shown.join('\n')}\nbut:`
}

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
