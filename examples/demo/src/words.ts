import type { ExecOutcome, Leftovers, SharingReport } from '@spectrum/unit-runtime'

/** What a guest wrote, fit for a terminal: whatever could steer the terminal is shown, not obeyed. */
export function terminalText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return character === '\n' ? '\n' : `\\u{${character.codePointAt(0)?.toString(16)}}`
  })
}

export function outcomeWords(outcome: ExecOutcome): string {
  switch (outcome.kind) {
    case 'exited':
      return `exited with status ${outcome.code}`
    case 'signalled':
      return `was ended by signal ${outcome.signal}`
    case 'not-started':
      return `was not started: ${outcome.message}`
    case 'unit-lost':
      return `was lost with its unit: ${outcome.message}`
    default:
      return outcome.kind
  }
}

export function bytes(count: number): string {
  return count < 1024 * 1024
    ? `${(count / 1024).toFixed(0)} KiB`
    : `${(count / (1024 * 1024)).toFixed(1)} MiB`
}

export function baseName(storePath: string): string {
  return storePath.slice(storePath.lastIndexOf('/') + 1)
}

/** One row for each blob that somebody maps, then the sums. */
export function sharingTable(report: SharingReport): string[] {
  const rows = report.blobs.map((blob) => [
    blob.storePaths.map((path) => baseName(path).slice(33)).join(', '),
    blob.units.join(' + '),
    bytes(blob.rssBytes),
    bytes(blob.pssBytes),
    bytes(blob.savedBytes),
  ])
  const total = ['all', '', bytes(report.rssBytes), bytes(report.pssBytes), bytes(report.savedBytes)]
  const table = [['blob', 'mapped by', 'sum of Rss', 'sum of Pss', 'saved'], ...rows, total]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

export function leftoverWords(left: Leftovers): string {
  const counts = [
    [left.processes.length, 'processes'],
    [left.sockets.length, 'sockets'],
    [left.mounts.length, 'mounts'],
    [left.files.length, 'files'],
  ] as const
  return counts.every(([count]) => count === 0)
    ? 'nothing: no process, no socket, no mount, no file'
    : counts.map(([count, what]) => `${count} ${what}`).join(', ')
}
