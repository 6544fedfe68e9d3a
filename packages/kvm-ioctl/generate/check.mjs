// Lets the compiler contradict the tables: `node generate/check.mjs ARCHITECTURE <LAYOUTS` reads, as JSON, a size
// and the fields by path for each structure, and compiles an assertion for every one of them. This path has
// nothing in common with the one that wrote the tables, which reads debugging information.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { triplets } from './compile.mjs'
import { obtainHeaders } from './headers.mjs'

const architecture = process.argv[2]
const layouts = JSON.parse(readFileSync(0, 'utf8'))
const triplet = triplets[architecture]
const includes = await obtainHeaders()

const assertions = Object.entries(layouts).flatMap(([name, { size, fields }]) => {
  const type = `${name}_t`
  const facts = Object.entries(fields).flatMap(([path, field]) => {
    if (field.type === 'bits') return [] // C has no address for them
    const place = `offsetof(${type}, ${path}) == ${field.offset}`
    return field.type === 'flexible' ? [place] : [place, `sizeof(((${type} *)0)->${path}) == ${field.size}`]
  })
  return [`sizeof(${type}) == ${size}`, ...facts].map((fact) => `_Static_assert(${fact}, "${name}");`)
})
const typedefs = Object.keys(layouts).map((name) => `typedef struct ${name} ${name}_t;`)
const source = ['#include <stddef.h>', '#include <linux/kvm.h>', ...typedefs, ...assertions, ''].join('\n')
const argv = ['-isystem', join(includes, triplet), '-isystem', includes, '-fsyntax-only', '-x', 'c', '-']
const { status, stderr, error } = spawnSync(`${triplet}-gcc`, argv, { input: source, encoding: 'utf8' })
if (error) throw error
process.stdout.write(status === 0 ? `${assertions.length}\n` : '')
process.stderr.write(stderr)
process.exitCode = status
