import { readFile, writeFile } from 'node:fs/promises'
import { escapeText, nixStore, openHost } from '@spectrum/unit-runtime'
import { machinePrograms } from '../../split-gpg/src/programs.js'
import { view } from './viewer.js'

const [document, picture] = process.argv.slice(2)
if (document === undefined || picture === undefined) {
  process.stderr.write('Usage: main.ts DOCUMENT.pdf PICTURE.ppm\n')
  process.exitCode = 2
} else {
  const poppler = await machinePrograms('poppler', ['/usr/bin/pdftoppm', '/usr/bin/pdftotext'])
  await using host = (await openHost({ store: nixStore() }))._unsafeUnwrap()
  const seen = await view(host, poppler, await readFile(document))
  if (seen.isErr()) {
    process.stderr.write(`${seen.error.message}\n`)
    process.exitCode = 1
  } else {
    const { page, text } = seen.value
    await writeFile(
      picture,
      Buffer.concat([Buffer.from(`P6\n${page.width} ${page.height}\n255\n`), page.pixels]),
    )
    for (const line of text.split('\n')) process.stdout.write(`${escapeText(line)}\n`)
  }
}
