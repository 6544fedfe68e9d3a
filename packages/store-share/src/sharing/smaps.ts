/** A mapping of a file, as `/proc/PID/smaps` shows it. Source: Linux, Documentation/filesystems/proc.rst. */
export interface FileMapping {
  /** Without the mark of a file that has been unlinked. */
  readonly path: string
  /** `MAJOR:MINOR` in hexadecimal, as in the file: `fe:00`. */
  readonly device: string
  readonly inode: number
  /** Addresses of its first byte and of the first byte behind it, in the process. */
  readonly start: number
  readonly end: number
  /** Where in the file it begins. Bytes. */
  readonly offset: number
  /** Bytes that are resident, and the same with each page divided by the number of processes mapping it. */
  readonly rssBytes: number
  readonly pssBytes: number
}

export class SmapsMalformed extends Error {}

/** A path is at most 4096 bytes, each escaped to at most four characters. */
const MAX_LINE_LENGTH = 32_768
const MAX_MAPPINGS = 1 << 20

const HEADER = /^([0-9a-f]+)-([0-9a-f]+) [-rwxsp]{4} ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) ([0-9]+) *(.*)$/

/** The mappings of files, in order. Reads as it arrives, and holds one line and one mapping at a time. */
export async function* fileMappings(smaps: AsyncIterable<Uint8Array>): AsyncGenerator<FileMapping> {
  let mapping: { -readonly [key in keyof FileMapping]: FileMapping[key] } | undefined
  let count = 0
  for await (const line of lines(smaps)) {
    const header = HEADER.exec(line)
    if (header !== null) {
      if (mapping !== undefined) yield mapping
      if (++count > MAX_MAPPINGS) throw new SmapsMalformed(`more than ${MAX_MAPPINGS} mappings`)
      mapping = beginMapping(header)
      continue
    }
    const size = /^(Rss|Pss): +([0-9]+) kB$/.exec(line)
    if (size === null || mapping === undefined) continue
    if (size[1] === 'Rss') mapping.rssBytes = Number(size[2]) * 1024
    else mapping.pssBytes = Number(size[2]) * 1024
  }
  if (mapping !== undefined) yield mapping
}

function beginMapping(header: RegExpExecArray) {
  const [, start = '', end = '', offset = '', device = '', inode = '0', name = ''] = header
  if (inode === '0') return undefined
  // The kernel escapes the newline only.
  const path = name.replace(/ \(deleted\)$/, '').replaceAll('\\012', '\n')
  const [from, to, at] = [start, end, offset].map((digits) => Number.parseInt(digits, 16)) as [
    number,
    number,
    number,
  ]
  return { path, device, inode: Number(inode), start: from, end: to, offset: at, rssBytes: 0, pssBytes: 0 }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    if (rest.length > MAX_LINE_LENGTH) throw new SmapsMalformed('a line is too long')
    yield* parts
  }
  if (rest !== '') yield rest
}
