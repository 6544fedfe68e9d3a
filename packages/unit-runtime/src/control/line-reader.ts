import { type LogLine, readLogLine } from './requests.js'
import { ShapeFault } from './shape.js'

/** A line of a log as JSON, with room for escapes. */
const LONGEST_LINE = 65_536

/** Reads log lines out of bytes as they come. */
export class LineReader {
  readonly #decoder = new TextDecoder()
  #begun = ''

  /** The lines that these bytes complete, or what is wrong with them. */
  take(bytes: Uint8Array): readonly LogLine[] | string {
    const lines = (this.#begun + this.#decoder.decode(bytes, { stream: true })).split('\n')
    this.#begun = lines.pop() ?? ''
    if (this.#begun.length > LONGEST_LINE) return 'a line of a log that does not end'
    try {
      return lines.map((line) => readLogLine(JSON.parse(line) as unknown, 'line'))
    } catch (cause) {
      if (cause instanceof ShapeFault || cause instanceof SyntaxError) return 'a line of a log that is none'
      throw cause
    }
  }
}
