import { ReadStream, WriteStream } from 'node:tty'
import type { OwnTerminal } from '../powers.js'

/** The terminal of this program, when its standard input and output are one. */
export function ownTerminal(): OwnTerminal | undefined {
  const { stdin, stdout } = process
  if (!(stdin instanceof ReadStream) || !(stdout instanceof WriteStream)) return undefined
  return {
    type: process.env['TERM'],
    size: () => ({ rows: bounded(stdout.rows, 24), columns: bounded(stdout.columns, 80) }),
    onResize(changed) {
      stdout.on('resize', changed)
      return { [Symbol.dispose]: () => void stdout.off('resize', changed) }
    },
    raw() {
      stdin.setRawMode(true)
      const restore = () => {
        try {
          stdin.setRawMode(false)
        } catch {
          // The terminal has gone.
        }
      }
      // Also on the ways out that nobody foresaw.
      process.on('exit', restore)
      return {
        [Symbol.dispose]() {
          process.off('exit', restore)
          restore()
        },
      }
    },
  }
}

/** A terminal may say that it has no size. */
const bounded = (count: number, otherwise: number): number =>
  Number.isInteger(count) && count >= 1 && count <= 65_535 ? count : otherwise
