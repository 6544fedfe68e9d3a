import type { Explanation } from './explain.js'
import { visible } from './visible.js'

/** An explanation as a table for people: a line for each device, then what starting takes. */
export function printExplanation(explanation: Explanation): string {
  const rows = [
    ['DEVICE', 'PROCESS', 'SECCOMP', 'USER NS', 'QUEUES', 'HOST', 'PARSES'],
    ...explanation.devices.map((device) => [
      device.device + (device.byDefault ? ' *' : ''),
      device.process,
      device.jail?.seccompPolicy ?? '-',
      device.jail === undefined ? '-' : device.jail.userNamespace ? 'own' : 'none',
      String(device.queues),
      [...device.paths, ...device.sockets].map(visible).join(' ') || '-',
      device.parses,
    ]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  return [
    ...lines,
    '',
    '* there although nobody asked for it',
    `processes: ${explanation.processes}`,
    `to start: ${explanation.privileges.join('; ')}`,
    `snapshots: ${explanation.cannotSnapshot.length === 0 ? 'possible' : `prevented by ${explanation.cannotSnapshot.join(', ')}`}`,
    '',
  ].join('\n')
}
