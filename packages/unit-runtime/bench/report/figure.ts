/** One figure of a measurement, beside that of whatever it is compared with, from the same run. */
export interface Figure {
  readonly name: string
  readonly ours: number
  readonly peer: number
  readonly unit: string
  readonly accelerator: string
}

/** The middle one. */
export function median(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[samples.length >> 1]!
}

/** One line: for programs with `json`, else for people. `digits` behind the point. */
export function print(figure: Figure, json: boolean, digits = 0): void {
  const { name, unit, accelerator } = figure
  const ours = round(figure.ours, digits)
  const peer = round(figure.peer, digits)
  const ratio = round(figure.ours / figure.peer, 3)
  process.stdout.write(
    json
      ? `${JSON.stringify({ name, ours, peer, ratio, unit, accelerator })}\n`
      : `${name}: ${ours} ${unit}, against ${peer} ${unit}: ratio ${ratio} (${accelerator})\n`,
  )
}

const round = (value: number, digits: number) => Math.round(value * 10 ** digits) / 10 ** digits
