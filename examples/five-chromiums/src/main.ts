import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nixStore, openHost } from '@spectrum/unit-runtime'
import { debianChromium } from './chromium.js'
import { fiveChromiums, oneCopyOf } from './five-chromiums.js'

const say = (line: string) => console.log(line)
const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'five-chromiums-')))
await mkdir(folder, { recursive: true })
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort())

const chromium = await debianChromium()
const opened = await openHost({ store: nixStore(), signal: interrupted.signal })
if (opened.isErr()) throw new Error(opened.error.message)
await using host = opened.value
say(`${host.monitor.kind}, ${host.monitor.accelerator}: ${host.monitor.why}`)

// An emulated processor is slow enough for one browser; two are what a small machine has processors for.
const drawn = await fiveChromiums(host, chromium, { say, atOnce: 2 })
if (drawn.isErr()) throw new Error(drawn.error.message)
for (const [unit, picture] of drawn.value.pictures) {
  const file = join(folder, `${unit}.png`)
  await writeFile(file, picture)
  say(file)
}

const copy = oneCopyOf(chromium, drawn.value.sharing)
if (copy === undefined) throw new Error('the units share nothing: they have their store on disks')
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
if (copy.pages !== undefined) say(`${copy.pages} pages of Chromium are in ${copy.frames} frames of memory`)
say(
  `${copy.units.length} units hold ${mebibytes(copy.heldBytes)} of Chromium; ${mebibytes(copy.storedBytes)} are in ` +
    `memory, ${mebibytes(copy.savedBytes)} are saved`,
)
