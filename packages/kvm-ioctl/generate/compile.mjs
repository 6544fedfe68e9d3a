// Asks a compiler what a header means for its architecture. Nothing that is compiled here ever runs, so a cross
// compiler does; no C library is needed, the kernel's headers stand alone.
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Debian: gcc, gcc-aarch64-linux-gnu, gcc-powerpc64le-linux-gnu, gcc-riscv64-linux-gnu. */
export const triplets = {
  x86_64: 'x86_64-linux-gnu',
  aarch64: 'aarch64-linux-gnu',
  powerpc64le: 'powerpc64le-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
}

const SOURCE = '#include <linux/version.h>\n#include <linux/kvm.h>\n'
// The macros of the header use it, and a freestanding header brings it.
const PREAMBLE = `#include <stddef.h>\n${SOURCE}`

export class Compiler {
  #program
  #includes
  #folder
  #operand

  /**
   * @param {string} architecture
   * @param {string} includes a tree of headers: Debian's (`linux/`, and `TRIPLET/asm/` for each architecture), or
   *   what `make headers_install` writes for this architecture alone
   * @param {string} folder for temporary files
   */
  constructor(architecture, includes, folder) {
    const triplet = triplets[architecture]
    if (!triplet) throw new Error(`"${architecture}" is none of ${Object.keys(triplets).join(', ')}`)
    const own = join(includes, triplet)
    this.#program = `${triplet}-gcc`
    this.#includes = [...(existsSync(own) ? [own] : []), includes].flatMap((path) => ['-isystem', path])
    this.#folder = folder
    // How an assembly template prints a number and nothing else. RISC-V's has no mark for that and needs none.
    this.#operand = architecture === 'riscv64' ? '%' : '%c'
  }

  #run(source, options) {
    const path = join(this.#folder, 'probe.c')
    writeFileSync(path, source)
    // -isystem comes before the compiler's own directories, so the C library's copy of the header is never read.
    const argv = [...this.#includes, '-fmax-errors=0', ...options, path]
    const { status, stdout, stderr, error } = spawnSync(this.#program, argv, {
      maxBuffer: 64 << 20,
      env: { ...process.env, LC_ALL: 'C' },
    })
    if (error) throw new Error(`${this.#program} did not start (${error.message}): install Debian's package`)
    return { status, output: stdout.toString(), errors: stderr.toString() }
  }

  /**
   * The macros that linux/kvm.h and asm/kvm.h define, in their order, with the text of their bodies; `parameters`
   * are those of a function-like one.
   *
   * @returns {{ name: string, parameters?: string[], body: string }[]}
   */
  macros() {
    const { status, output, errors } = this.#run(SOURCE, ['-E', '-dD', '-o', '-'])
    if (status !== 0) throw new Error(`the header cannot be read:\n${errors}`)
    const found = new Map()
    let file = ''
    for (const line of output.split('\n')) {
      const marker = /^# \d+ "([^"]*)"/.exec(line)
      if (marker) file = marker[1]
      const [, name, parameters, body] = /^#define (\w+)(?:\(([^)]*)\))? ?(.*)$/.exec(line) ?? []
      if (name && body && isOurs(file)) found.set(name, { name, parameters: parameters?.split(','), body })
    }
    return [...found.values()]
  }

  /**
   * The values of the expressions, by key; those that mean nothing on this architecture are absent. The compiler
   * writes each as a line of assembly, in parts of 16 bits: x86 has no larger operand that is safe from its sign.
   *
   * @param {readonly (readonly [key: string, expression: string])[]} expressions
   * @returns {Map<string, bigint>}
   */
  evaluate(expressions) {
    let asked = [...expressions]
    while (asked.length > 0) {
      const lines = asked.map(([key, expression]) => {
        const parts = [48, 32, 16, 0].map(
          (n) => `"i"(((unsigned long long)(${expression}) >> ${n}) & 0xffff)`,
        )
        const negative = `"i"((${expression}) < 0)`
        const operands = [0, 1, 2, 3, 4].map((n) => `${this.#operand}${n}`).join(' ')
        return `asm volatile("\\n->${key} ${operands}" : : ${parts.join(', ')}, ${negative});`
      })
      const head = `${PREAMBLE}void probe(void);\nvoid probe(void) {\n`
      const first = head.split('\n').length
      const options = ['-S', '-O1', '-Wno-type-limits', '-o', '-']
      const { status, output, errors } = this.#run(`${head}${lines.join('\n')}\n}\n`, options)
      if (status === 0) return valuesOf(asked, output)
      const refused = new Set()
      for (const [, line, reason] of errors.matchAll(/probe\.c:(\d+):\d+: error: (.*)/g)) {
        if (!ABSENT.test(reason)) throw new Error(`${asked[line - first]?.[0]}: ${reason}`)
        refused.add(line - first)
      }
      if (refused.size === 0) throw new Error(errors)
      asked = asked.filter((_, index) => !refused.has(index))
    }
    return new Map()
  }

  /** What readelf says of the debugging information: every type of the headers, used or not. */
  debuggingInformation() {
    const object = join(this.#folder, 'probe.o')
    const options = ['-c', '-gdwarf-4', '-fno-eliminate-unused-debug-types', '-o', object]
    const { status, errors } = this.#run(SOURCE, options)
    if (status !== 0) throw new Error(errors)
    const read = spawnSync('readelf', ['--debug-dump=info,line', '--wide', object], {
      maxBuffer: 64 << 20,
      env: { ...process.env, LC_ALL: 'C' },
    })
    if (read.status !== 0) throw new Error(`readelf failed: ${read.error?.message ?? read.stderr}`)
    return read.stdout.toString()
  }
}

/** Whether a file is one of the two that define KVM's interface. */
export const isOurs = (path) => /(^|\/)(linux|asm)\/kvm\.h$/.test(path)

/** What the compiler says of a name that this architecture does not have, or that is no number. */
const ABSENT =
  /incomplete type|undeclared|expected .*before|expected specifier|impossible constraint|implicit declaration|invalid (use|type)|cast specifies|used to be/

function valuesOf(asked, output) {
  const values = new Map()
  for (const [, key, ...parts] of output.matchAll(/^->(\S+) (\d+) (\d+) (\d+) (\d+) (\d+)$/gm)) {
    const value = parts.slice(0, 4).reduce((sum, part) => (sum << 16n) | BigInt(part), 0n)
    values.set(key, parts[4] === '1' ? BigInt.asIntN(64, value) : value)
  }
  for (const [key] of asked) if (!values.has(key)) throw new Error(`the compiler wrote nothing for ${key}`)
  return values
}
