/** Command lines that are nearly right: what a generated machine prints, changed in one place as by a slip. */
import type { CrosvmSpec } from '../src/index.js'
import { printArgv } from '../src/index.js'

const SCRAPS = [
  ...[',', '=', '[', ']', "'", '"', '\\', ':', '-', '+', '_', '/', ' ', ';', '.', 'é', '\n'],
  ...['0', '1', '-1', '256', '65536', '4294967296', '99999999999999999999', '1G', '.5'],
  ...['0x1f', '0b1', '0o7', 'true', 'false', 'ro', 'path=', ',root', 'type=', '""', "''", '[]', ',,'],
]

/** Numbers below `n`, the same for the same seed. */
export function dice(seed: number): (n: number) => number {
  let state = seed >>> 0
  return (n) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

type Dice = ReturnType<typeof dice>
const pick = <T>(items: readonly T[], roll: Dice): T => items[roll(items.length)]!

function slip(value: string, roll: Dice): string {
  const at = roll(value.length + 1)
  const items = value.split(',')
  const place = roll(items.length)
  switch (roll(9)) {
    case 0:
      return value.slice(0, at) + pick(SCRAPS, roll) + value.slice(at)
    case 1:
      return value.slice(0, at) + value.slice(at + 1 + roll(3))
    case 2:
      return value.slice(0, at) + pick(SCRAPS, roll) + value.slice(at + 1)
    case 3:
      return value.replace(/^[\w-]+=/, '')
    case 4: {
      const other = roll(items.length)
      ;[items[place], items[other]] = [items[other]!, items[place]!]
      return items.join(',')
    }
    case 5:
      return [...items, items[place]].join(',')
    case 6:
      return items.toSpliced(place, 1).join(',')
    case 7: {
      const held = [...value.matchAll(/=([^,[\]=:]*)/g)]
      if (held.length === 0) return value
      const found = pick(held, roll)
      const quotes = pick(["'", '"'], roll)
      const put = roll(2) === 0 ? pick(SCRAPS, roll) : quotes + found[1] + quotes
      return value.slice(0, found.index + 1) + put + value.slice(found.index + found[0].length)
    }
    default:
      return roll(2) === 0 ? value.replace('_', '-') : value.replace('-', '_')
  }
}

/** Other ways to write the same words, and ways to write them wrongly. */
function rewrite(words: readonly string[], kernel: string, roll: Dice): string[] {
  const options = [...words]
  const place = roll(options.length)
  const word = options[place]!
  const equals = word.indexOf('=')
  switch (roll(6)) {
    case 0:
      if (equals > 0) options.splice(place, 1, word.slice(0, equals), word.slice(equals + 1))
      return [...options, kernel]
    case 1:
      return [kernel, ...options]
    case 2:
      return [...options, word, kernel]
    case 3:
      return [...options, '--', kernel]
    case 4:
      options[place] = equals > 0 ? word.slice(0, equals) : `${word}=true`
      return [...options, kernel]
    default:
      return [...options.toSpliced(place, 1, word.slice(1)), kernel]
  }
}

/** A few lines for each machine. All end with a kernel that is not there. */
export function nearMisses(spec: CrosvmSpec, kernel: string, seed: number): readonly string[][] {
  const roll = dice(seed)
  const argv = printArgv(spec)
  const options = argv.slice(argv.indexOf('run') + 1, -1)
  const places = options.flatMap((word, index) => (word.includes('=') && word.length < 2000 ? [index] : []))
  if (places.length === 0) return []
  const head = ['--extended-status', 'run']
  const lines = Array.from({ length: 3 }, () => {
    const place = pick(places, roll)
    const word = options[place]!
    const equals = word.indexOf('=') + 1
    let value = word.slice(equals)
    for (let slips = 0; slips <= roll(2); slips += 1) value = slip(value, roll)
    // What no argument can hold is not crosvm's to judge.
    const changed = word.slice(0, equals) + value.replace(/\0|\p{Cs}/gu, '')
    return [...head, ...(roll(3) > 0 ? [changed] : options.toSpliced(place, 1, changed)), kernel]
  })
  return [...lines, [...head, ...rewrite(options, kernel, roll)]]
}
