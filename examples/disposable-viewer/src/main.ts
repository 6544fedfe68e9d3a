import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { escapeText, nixStore, openHost } from '@spectrum/unit-runtime'
import { debianPrograms } from '../../debian-programs/src/debian-programs.js'
import { FONTS } from '../../debian-programs/src/fonts.js'
import { view } from './viewer.js'

const letter = fileURLToPath(new URL('../letter.pdf', import.meta.url))
const [document = letter, picture = join(await mkdtemp(join(tmpdir(), 'viewer-')), 'page.ppm')] =
  process.argv.slice(2)

const poppler = await debianPrograms('poppler', ['/usr/bin/pdftoppm', '/usr/bin/pdftotext'], { data: FONTS })
await using host = (await openHost({ store: nixStore() }))._unsafeUnwrap()
const seen = await view(host, poppler, await readFile(document))
if (seen.isErr()) throw new Error(seen.error.message)
const { page, text } = seen.value
await writeFile(picture, Buffer.concat([Buffer.from(`P6\n${page.width} ${page.height}\n255\n`), page.pixels]))
for (const line of text.trim().split('\n')) process.stdout.write(`${escapeText(line)}\n`)
process.stdout.write(`${page.width} by ${page.height} pixels: ${picture}\n`)
