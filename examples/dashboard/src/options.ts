import { parseArgs } from 'node:util'

export interface Options {
  readonly port: number
  readonly once: boolean
}

export const USAGE = `Usage: npm run example -- dashboard [--port PORT] [--once]

  --port PORT  on loopback, from 1024 on; by default one that is free
  --once       wait until the units run, ask the page's server what it tells, and stop
`

/** A text is what to print instead. */
export function readOptions(words: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        port: { type: 'string', default: '0' },
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return USAGE
    const port = Number(values.port)
    if (!/^\d{1,5}$/.test(values.port) || (port !== 0 && port < 1_024) || port > 65_535)
      return `--port takes a number from 1024 to 65535.\n\n${USAGE}`
    return { port, once: values.once }
  } catch (cause) {
    return `${(cause as Error).message}\n\n${USAGE}`
  }
}
