import { Buffer } from 'node:buffer'

/** One entry of a cpio archive. Paths are relative, without `.`, `..` or a trailing slash. */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly bytes: Uint8Array }

const directoryType = 0o040000
const fileType = 0o100000

/**
 * A "newc" archive as the Linux kernel unpacks it: entries in the given order (a directory before what is in
 * it), owner root, time zero, inode numbers counted from one, so that equal entries give equal bytes.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = []
  entries.forEach((entry, index) => {
    checkPath(entry.path)
    const isFile = entry.kind === 'file'
    const content = isFile ? entry.bytes : new Uint8Array(0)
    pushEntry(parts, {
      inode: index + 1,
      mode: (isFile ? fileType : directoryType) | entry.mode,
      linkCount: isFile ? 1 : 2,
      path: entry.path,
      content,
    })
  })
  pushEntry(parts, { inode: 0, mode: 0, linkCount: 1, path: 'TRAILER!!!', content: new Uint8Array(0) })
  return Buffer.concat(parts)
}

interface Raw {
  readonly inode: number
  readonly mode: number
  readonly linkCount: number
  readonly path: string
  readonly content: Uint8Array
}

function pushEntry(parts: Uint8Array[], raw: Raw): void {
  const name = Buffer.from(`${raw.path}\0`)
  const [owner, group, time, device] = [0, 0, 0, 0]
  const fields = [raw.inode, raw.mode, owner, group, raw.linkCount, time, raw.content.length]
  const rest = [device, device, device, device, name.length, 0]
  const header = `070701${[...fields, ...rest].map(hex8).join('')}`
  const head = Buffer.concat([Buffer.from(header, 'latin1'), name])
  parts.push(head, padding(head.length), raw.content, padding(raw.content.length))
}

const hex8 = (value: number): string => {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new RangeError(`does not fit a cpio field: ${value}`)
  }
  return value.toString(16).toUpperCase().padStart(8, '0')
}

const padding = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4)

function checkPath(path: string): void {
  const parts = path.split('/')
  if (path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new TypeError(`not a relative path: ${path}`)
  }
}
