import { escapeText } from '@spectrum/unit-runtime'

/** The longest that a cell may be; the last column's is cut, too, because a message may have lines. */
const longestCell = 200

/** Rows of cells as a table for people. Text from a unit cannot command the terminal. */
export function columns(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(shown))
  const widths = (cells[0] ?? []).map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)))
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function shown(text: string): string {
  const [line = ''] = text.split('\n')
  return escapeText(line.length > longestCell ? `${line.slice(0, longestCell)}…` : line)
}
