import { parseArgs } from 'node:util'

export interface DemoOptions {
  readonly json: boolean
  /** Store paths for `left` and `right`; the second is optional and the first then serves both. */
  readonly closures: readonly string[]
  /** What to run in each unit, when the caller's own closures are used. */
  readonly argv: readonly string[]
}

export const USAGE = `Usage: npm run demo -- [--json] [--closure /nix/store/… [--closure /nix/store/…]] [-- ARGV…]

  --json      print one JSON object on the last line
  --closure   use this store path's closure instead of building two with Nix: once for both units, or
              once for each
  ARGV        what to run in both units; by default the first program in the closure's bin, with --version
`

export function readOptions(words: readonly string[]): DemoOptions | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: {
        json: { type: 'boolean', default: false },
        closure: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    })
    if (values.help) return USAGE
    if (values.closure.length > 2) return `Give --closure at most twice.\n\n${USAGE}`
    if (positionals.length > 0 && values.closure.length === 0) {
      return `A command of your own needs a closure of your own: add --closure.\n\n${USAGE}`
    }
    return { json: values.json, closures: values.closure, argv: positionals }
  } catch (cause) {
    return `${(cause as Error).message}\n\n${USAGE}`
  }
}
