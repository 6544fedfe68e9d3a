// Reads the kernel's header and writes what it says: `node generate/generate.mjs [ARCHITECTURE…] [--stdout]`.
//
// Nothing is typed by hand, because numbers differ between architectures: an ioctl number holds the size of its
// argument and, on POWER, other direction bits. Each name becomes a line of assembly that the compiler writes
// and nobody has to run, so a cross compiler will do. Names that an architecture does not have (their structure
// is another's) make the compiler complain about their line; those lines are left out.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The compiler whose headers are read. Debian: gcc, gcc-aarch64-linux-gnu, … with linux-libc-dev-…-cross. */
const COMPILERS = {
  x86_64: ['x86_64-linux-gnu-gcc'],
  aarch64: ['aarch64-linux-gnu-gcc'],
  powerpc64le: ['powerpc64le-linux-gnu-gcc'],
  riscv64: ['riscv64-linux-gnu-gcc'],
}

/** Structures whose layout the package uses so far. Fields of a union are named by their path. */
const LAYOUTS = {
  common: {
    kvm_userspace_memory_region: ['slot', 'flags', 'guest_phys_addr', 'memory_size', 'userspace_addr'],
    kvm_run: [
      'request_interrupt_window',
      'immediate_exit',
      'exit_reason',
      'io.direction',
      'io.size',
      'io.port',
      'io.count',
      'io.data_offset',
      'fail_entry.hardware_entry_failure_reason',
      'internal.suberror',
    ],
  },
  x86_64: {
    kvm_regs: ['rip', 'rflags', 'rsp', 'rax', 'rdx'],
    kvm_sregs: ['cs.base', 'cs.selector', 'cr0'],
  },
}

const INCLUDES = '#include <stddef.h>\n#include <linux/version.h>\n#include <linux/kvm.h>\n'

function compile(compiler, folder, source, options) {
  const path = join(folder, 'probe.c')
  writeFileSync(path, source)
  const [file, ...rest] = [...compiler, ...options, '-fmax-errors=0', '-o', '-', path]
  const { status, stdout, stderr, error } = spawnSync(file, rest, {
    maxBuffer: 64 << 20,
    env: { ...process.env, LC_ALL: 'C' },
  })
  if (error)
    throw new Error(`${file} did not start (${error.message}); install the compiler for this architecture`)
  return { status, output: stdout.toString(), errors: stderr.toString() }
}

/** Every object-like macro that begins with KVM_ or __KVM_, with the text of its body. */
function macrosOf(compiler, folder) {
  const { status, output, errors } = compile(compiler, folder, INCLUDES, ['-E', '-dM'])
  if (status !== 0) throw new Error(`the header cannot be read:\n${errors}`)
  const macros = new Map()
  for (const line of output.split('\n')) {
    const [, name, body] = line.match(/^#define ((?:__)?KVM_\w+) (.+)$/) ?? []
    if (name) macros.set(name, body)
  }
  return macros
}

/** What the compiler says of a name that this architecture does not have, or that is no number. */
const ABSENT =
  /incomplete type|undeclared|expected .*before|expected specifier|impossible constraint|implicit declaration|invalid (use|type)|cast specifies|used to be/

/**
 * The values of the expressions, by key; those that mean nothing on this architecture are absent. A value
 * comes out in four parts of 16 bits: assembly for x86 has no larger operand that is safe from its sign.
 */
function evaluate(compiler, folder, expressions) {
  let asked = [...expressions]
  for (;;) {
    const parts = (expression) =>
      [48, 32, 16, 0]
        .map((shift) => `"i"(((unsigned long long)(${expression}) >> ${shift}) & 0xffff)`)
        .join(', ')
    const lines = asked.map(
      ([key, expression]) => `asm volatile("\\n->${key} %c0 %c1 %c2 %c3" : : ${parts(expression)});`,
    )
    const head = `${INCLUDES}void probe(void);\nvoid probe(void) {\n`
    const offset = head.split('\n').length
    const { status, output, errors } = compile(compiler, folder, `${head}${lines.join('\n')}\n}\n`, [
      '-S',
      '-O1',
    ])
    if (status === 0) {
      const values = new Map()
      for (const [, key, ...four] of output.matchAll(/^->(\S+) (\d+) (\d+) (\d+) (\d+)$/gm)) {
        values.set(
          key,
          four.reduce((sum, part) => (sum << 16n) | BigInt(part), 0n),
        )
      }
      for (const [key] of asked)
        if (!values.has(key)) throw new Error(`the compiler wrote nothing for ${key}`)
      return values
    }
    const refused = new Set()
    for (const [, line, reason] of errors.matchAll(/probe\.c:(\d+):\d+: error: (.*)/g)) {
      if (!ABSENT.test(reason)) throw new Error(`${asked[line - offset]?.[0]}: ${reason}`)
      refused.add(Number(line) - offset)
    }
    if (refused.size === 0) throw new Error(errors)
    asked = asked.filter((_, index) => !refused.has(index))
  }
}

const literal = (value) =>
  value > BigInt(Number.MAX_SAFE_INTEGER)
    ? `0x${value.toString(16)}n`
    : `${value < 10n ? value : `0x${value.toString(16)}`}`

const byValue = ([a, x], [b, y]) => (x < y ? -1 : x > y ? 1 : a < b ? -1 : 1)

function table(name, comment, entries, write = literal) {
  const rows = entries.map(([key, value]) => `  ${key}: ${write(value)},`)
  return `/** ${comment} */\nexport const ${name} = {\n${rows.join('\n')}\n} as const\n`
}

/** The text of src/generated/ARCHITECTURE.ts. */
export function generate(architecture) {
  const compiler = COMPILERS[architecture]
  if (!compiler) throw new Error(`no compiler is known for ${architecture}: one of ${Object.keys(COMPILERS)}`)
  const folder = mkdtempSync(join(tmpdir(), 'kvm-generate-'))
  try {
    const macros = macrosOf(compiler, folder)
    // A deprecated request is named through another macro: follow it.
    const isIoctl = (name) => {
      const body = macros.get(name) ?? ''
      return /\b_IO[RW]*\s*\(\s*KVMIO\b/.test(body) || (body !== name && macros.has(body) && isIoctl(body))
    }
    const names = [...macros.keys()].filter((name) => name.startsWith('KVM_'))
    const values = evaluate(compiler, folder, [
      ['LINUX_VERSION_CODE', 'LINUX_VERSION_CODE'],
      ...names.map((name) => [name, isIoctl(name) ? `(unsigned int)(${name})` : name]),
    ])
    const version = Number(values.get('LINUX_VERSION_CODE'))
    values.delete('LINUX_VERSION_CODE')

    const exits = [...values.keys()].filter((name) => name.startsWith('KVM_EXIT_'))
    // KVM_EXIT_IO_OUT is a direction of KVM_EXIT_IO, not a reason: names that extend another's are its details.
    const isReason = (name) => exits.includes(name) && !exits.some((other) => name.startsWith(`${other}_`))
    const isCapability = (name) => name.startsWith('KVM_CAP_')
    const some = (wanted) => [...values].filter(([name]) => wanted(name)).sort(byValue)

    const layouts = Object.entries({ ...LAYOUTS.common, ...LAYOUTS[architecture] }).map(
      ([struct, fields]) => {
        const asked = fields.flatMap((field) => [
          [`${field}@`, `offsetof(struct ${struct}, ${field})`],
          [`${field}#`, `sizeof(((struct ${struct} *)0)->${field})`],
        ])
        const answers = evaluate(compiler, folder, [['size', `sizeof(struct ${struct})`], ...asked])
        for (const [key] of asked) if (!answers.has(key)) throw new Error(`struct ${struct} has no ${key}`)
        const rows = fields.map((field) => {
          const key = /^\w+$/.test(field) ? field : `'${field}'`
          return `      ${key}: { offset: ${answers.get(`${field}@`)}, size: ${answers.get(`${field}#`)} },\n`
        })
        return `  ${struct}: {\n    size: ${answers.get('size')},\n    fields: {\n${rows.join('')}    },\n  },\n`
      },
    )

    return [
      `// Written by generate/generate.mjs from linux/kvm.h for ${architecture}. Do not edit: run it again.\n`,
      `/** The version of the header. */\nexport const headerVersion = '${version >> 16}.${(version >> 8) & 255}'\n`,
      table('ioctls', 'Request numbers, by the name in linux/kvm.h.', some(isIoctl)),
      table('capabilities', 'For KVM_CHECK_EXTENSION.', some(isCapability)),
      table('exitReasons', 'Values of kvm_run.exit_reason.', some(isReason)),
      table(
        'constants',
        'Everything else that is a number: flags, directions, register ids.',
        some((name) => !isIoctl(name) && !isCapability(name) && !isReason(name)),
      ),
      `/** Sizes and offsets in bytes; fields are host-endian. */\nexport const layouts = {\n${layouts.join('')}} as const\n`,
    ].join('\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2)
  const named = asked.filter((argument) => !argument.startsWith('--'))
  for (const architecture of named.length > 0 ? named : ['x86_64']) {
    const text = generate(architecture)
    if (asked.includes('--stdout')) process.stdout.write(text)
    else writeFileSync(new URL(`../src/generated/${architecture}.ts`, import.meta.url), text)
  }
}
