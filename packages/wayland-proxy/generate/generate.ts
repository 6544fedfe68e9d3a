// npm run generate -w @spectrum/wayland-proxy [-- DIRECTORY…]: src/protocol/generated.ts from the installed XML.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { installedFiles, merged, sourceText, xmlFiles } from './tables.js'

const target = fileURLToPath(new URL('../src/protocol/generated.ts', import.meta.url))
const files = [...installedFiles(), ...process.argv.slice(2).flatMap(xmlFiles)]
const before = readFileSync(target, 'utf8')
const after = sourceText(merged(files))
if (after !== before) writeFileSync(target, after)
process.stdout.write(
  `${files.length} files; ${after === before ? 'nothing changed' : 'src/protocol/generated.ts changed'}\n`,
)
