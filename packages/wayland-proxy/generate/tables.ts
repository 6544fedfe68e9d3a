import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseProtocol } from '../src/index.js'
import { mergeInterfaces } from '../src/protocol/merge.js'
import { standardInterfaces } from '../src/protocol/table.js'
import { printTables } from '../src/protocol/text.js'
import type { Interface } from '../src/wire/signature.js'

/** Where Debian's libwayland-dev and wayland-protocols put their files. */
const INSTALLED = ['/usr/share/wayland', '/usr/share/wayland-protocols']

/** Version 5 gave names to its interfaces that the stable protocol uses for others. */
const LEFT_OUT = /xdg-shell-unstable-v5\.xml$/

export function installedFiles(): string[] {
  return INSTALLED.flatMap(xmlFiles)
}

export function xmlFiles(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.xml') && !LEFT_OUT.test(name))
    .map((name) => join(directory, name))
    .sort()
}

/**
 * The interfaces of these files and those that are in the table already: a machine whose files are older
 * takes nothing away, and a file that contradicts the table is an error.
 */
export function merged(files: readonly string[]): readonly Interface[] {
  const read = files.map((file) => {
    const protocol = parseProtocol(readFileSync(file, 'utf8'))
    if (protocol.isErr()) throw new Error(`${file}: ${protocol.error.message}`)
    return protocol.value.interfaces
  })
  const all = mergeInterfaces(standardInterfaces(), ...read)
  if (all.isErr()) throw new Error(all.error.message)
  return all.value
}

export function sourceText(interfaces: readonly Interface[]): string {
  return `// Generated from the protocols' XML by generate/generate.ts; see text.ts for the form. Do not edit.
export const STANDARD_TABLES = \`\\
${printTables(interfaces)}\`
`
}
