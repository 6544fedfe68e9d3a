import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The same as the `walk` of `init.c`, of what the guest must see. */
export function digestOf(top: string): string {
  let [a, b] = [2166136261, 40503]
  let [entries, bytesRead] = [0, 0]
  const mix = (bytes: Uint8Array) => {
    for (const byte of bytes) {
      a = Math.imul(a ^ byte, 16777619)
      b = Math.imul(b ^ byte, 2654435761)
    }
  }
  const number = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    mix(bytes)
  }
  const visit = (directory: Buffer, depth: number) => {
    const names = readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare)
    for (const name of names) {
      const path = Buffer.concat([directory, Buffer.from('/'), name])
      const { mode, size } = lstatSync(path)
      const kind = mode & 0o170000
      entries += 1
      number(depth)
      mix(Buffer.concat([name, Buffer.alloc(1)]))
      const permissions =
        kind === 0o120000 ? 0o777 : kind === 0o040000 || (mode & 0o100) !== 0 ? 0o555 : 0o444
      number(kind | permissions)
      if (kind === 0o120000) mix(readlinkSync(path, 'buffer'))
      else if (kind === 0o040000) visit(path, depth + 1)
      else {
        number(size)
        mix(readFileSync(path))
        bytesRead += size
      }
    }
  }
  visit(Buffer.from(top), 0)
  const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
  return `${hex(a)}${hex(b)} ${entries} ${bytesRead}`
}
