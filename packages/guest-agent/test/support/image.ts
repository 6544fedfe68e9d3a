import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'

const deviceAlignment = 2 * 1024 * 1024
const trailerBytes = 4096
const bounds = { stdio: 'pipe', timeout: 60_000, killSignal: 'SIGKILL' } as const

/** Pads a file to whole 2 MiB and ends it with the trailer by which a unit finds it. Returns the id. */
export function sealDevice(file: string): string {
  const content = readFileSync(file)
  const id = createHash('sha256').update(content).digest('hex')
  const size = Math.ceil((content.length + trailerBytes) / deviceAlignment) * deviceAlignment
  const device = Buffer.alloc(size)
  content.copy(device)
  device.write(`SPECTRUM-BLOB-1\0${id}`, size - trailerBytes, 'latin1')
  writeFileSync(file, device)
  return id
}

/** One image that holds its own data. */
export function makeFlatImage(
  tree: string,
  image: string,
  options: readonly string[] = ['-Enoinline_data'],
): string {
  execFileSync('mkfs.erofs', ['--quiet', ...options, '-T1', image, tree], bounds)
  return sealDevice(image)
}

/** A metadata image and the one device with its data, as mkfs.erofs makes them. */
export function makeSplitImage(tree: string, image: string, blob: string): { image: string; device: string } {
  writeFileSync(blob, '')
  const options = ['--quiet', '--chunksize=4096', `--blobdev=${blob}`, '-T1']
  execFileSync('mkfs.erofs', [...options, image, tree], bounds)
  if (statSync(blob).size === 0) throw new Error('mkfs.erofs wrote no data to its device')
  return { image: sealDevice(image), device: sealDevice(blob) }
}

/** An empty ext4 file system, for a volume. */
export function makeExt4(file: string, bytes: number): void {
  writeFileSync(file, '')
  truncateSync(file, bytes)
  execFileSync('mkfs.ext4', ['-q', '-F', file], bounds)
}
