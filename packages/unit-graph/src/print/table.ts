import { printable } from '../escape.js'
import type { EdgeView } from '../question/view.js'

/** Edges as a table for a terminal, a line each; text from a file cannot reach the terminal's controls. */
export function tableOf(views: readonly EdgeView[]): string {
  const rows = views.map(
    ({ consumer, need, service, provider, provision, conditions, strength, outcome }) => [
      `${consumer}.${need}`,
      service,
      provision === undefined ? provider : `${provider}.${provision}`,
      outcome,
      [...(strength === 'weak' ? ['weak'] : []), ...conditions].join('; '),
    ],
  )
  const lines = [['caller', 'service', 'provider', 'now', 'conditions'], ...rows].map((row) =>
    row.map((cell) => shown(cell)),
  )
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** In pieces, because an escaped name is cut and a list of conditions is not. */
function shown(text: string): string {
  return (text.match(/[\s\S]{1,32}/gu) ?? []).map(printable).join('')
}
