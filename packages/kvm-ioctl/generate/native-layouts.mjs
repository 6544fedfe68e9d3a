// Makes a program that says what layouts are where it runs: `node generate/native-layouts.mjs ARCHITECTURE OUTPUT
// <LAYOUTS`. LAYOUTS is JSON: the fields by path for each structure. The program prints an object with
// `NAME PATH: [offset, size]`, and `NAME: [0, size]` for the structures themselves.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { triplets } from './compile.mjs'
import { obtainHeaders } from './headers.mjs'

const [architecture, output] = process.argv.slice(2)
const layouts = JSON.parse(readFileSync(0, 'utf8'))
const triplet = triplets[architecture]
const includes = await obtainHeaders()

const rows = Object.entries(layouts).flatMap(([name, { fields }]) => {
  const facts = Object.entries(fields).flatMap(([path, { type }]) => {
    if (type === 'bits') return [] // C has no address for them
    const size = type === 'flexible' ? '0' : `sizeof(((struct ${name} *)0)->${path})`
    return [`{ "${name} ${path}", offsetof(struct ${name}, ${path}), ${size} },`]
  })
  return [`{ "${name}", 0, sizeof(struct ${name}) },`, ...facts]
})
const source = `
#include <stddef.h>
#include <stdio.h>
#include <linux/kvm.h>
static const struct { const char *name; size_t offset, size; } facts[] = {
${rows.join('\n')}
};
int main(void)
{
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        printf("%s\\"%s\\": [%zu, %zu]", i ? ", " : "{", facts[i].name, facts[i].offset, facts[i].size);
    puts("}");
    return 0;
}
`
const own = ['-isystem', join(includes, triplet), '-isystem', includes]
const argv = [...own, '-static', '-O1', '-Wall', '-Werror', '-x', 'c', '-o', output, '-']
const { status, stderr, error } = spawnSync(`${triplet}-gcc`, argv, { input: source, encoding: 'utf8' })
if (error) throw error
process.stderr.write(stderr)
process.exitCode = status
