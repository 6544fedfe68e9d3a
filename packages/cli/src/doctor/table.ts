import type { Examination, Verdict } from '../doctor.js'
import { escapeLines } from '../escape.js'

const words: Readonly<Record<Verdict, string>> = {
  ok: 'ok',
  limited: 'limited',
  missing: 'MISSING',
  unknown: 'unknown',
}

/** One row for each finding, its remedy below it, and the conclusion. */
export function table({ ok, findings }: Examination): string {
  const width = Math.max(...findings.map((finding) => finding.subject.length))
  const margin = ' '.repeat(width + 2 + 7 + 2)
  const rows = findings.map(({ subject, verdict, found, remedy }) => {
    const row = `${subject.padEnd(width)}  ${words[verdict].padEnd(7)}  ${oneLine(found)}`
    return remedy === undefined ? row : `${row}\n${margin}→ ${oneLine(remedy)}`
  })
  const conclusion = ok ? 'Units can run on this machine.' : 'Units cannot run on this machine yet.'
  return `${rows.join('\n')}\n\n${conclusion}\n`
}

const oneLine = (text: string): string => escapeLines(text).replaceAll('\n', ' ⏎ ')
