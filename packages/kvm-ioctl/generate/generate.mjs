// Reads the kernel's header and writes what it says: `node generate/generate.mjs [ARCHITECTURE…] [--stdout]
// [--headers DIRECTORY]`. Without names, all four architectures.
//
// Nothing is typed by hand, because numbers differ between architectures: an ioctl number holds the size of its
// argument and, on POWER, other direction bits. Names that an architecture does not have (their structure is
// another's) are left out of its table. The header is the pinned one (headers.mjs) unless another is named.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Compiler, triplets } from './compile.mjs'
import { obtainHeaders } from './headers.mjs'
import { typesOf } from './types.mjs'
import { bigintLiteral, numberTable, structureTable, textTable } from './write.mjs'

export const architectures = Object.keys(triplets)

/** What a table may use of layout.ts, in the order that the formatter wants for imports. */
const LAYOUT_PARTS =
  'array at bits flatten flexible i8 i16 i32 i64 structure u8 u16 u32 u64 u128 union'.split(' ')

/** The text of src/generated/ARCHITECTURE.ts, from the tree of headers at `includes`. */
export function generate(architecture, includes) {
  const folder = mkdtempSync(join(tmpdir(), 'kvm-generate-'))
  try {
    const compiler = new Compiler(architecture, includes, folder)
    return textOf(architecture, compiler)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function textOf(architecture, compiler) {
  const macros = compiler.macros()
  const { structures, enumerators } = typesOf(compiler.debuggingInformation())
  const bodies = new Map(macros.filter((m) => !m.parameters).map((m) => [m.name, m.body]))
  // A deprecated request is named through another macro: follow it.
  const requestOf = (name) => {
    const body = bodies.get(name) ?? ''
    const [, argument] = /^_IO[RW]*\s*\(\s*KVMIO\s*,[^,]*(?:,(.*))?\)$/.exec(body) ?? []
    if (body.startsWith('_IO')) return argument?.trim().replace(/^(struct|union) /, '') ?? 'none'
    return body !== name && bodies.has(body) ? requestOf(body) : undefined
  }
  const names = [...new Set([...bodies.keys(), ...enumerators])]
  const values = compiler.evaluate([
    ['LINUX_VERSION_CODE', 'LINUX_VERSION_CODE'],
    ...names.map((name) => [name, requestOf(name) ? `(unsigned int)(${name})` : name]),
  ])
  const version = Number(values.get('LINUX_VERSION_CODE'))
  values.delete('LINUX_VERSION_CODE')

  const exits = [...values.keys()].filter((name) => name.startsWith('KVM_EXIT_'))
  // KVM_EXIT_IO_OUT is a direction of KVM_EXIT_IO, not a reason: names that extend another's are its details.
  const isReason = (name) => exits.includes(name) && !exits.some((other) => name.startsWith(`${other}_`))
  const isCapability = (name) => name.startsWith('KVM_CAP_')
  const isRequest = (name) => requestOf(name) !== undefined
  const some = (wanted) => [...values].filter(([name]) => wanted(name))

  const layouts = structureTable(structures)
  const imports = LAYOUT_PARTS.filter((name) => name === 'flatten' || layouts.includes(`${name}(`))
  const argumentsOf = some(isRequest).map(([name]) => `${name}: '${requestOf(name)}'`)
  return [
    '// biome-ignore-all format: a table',
    `// Written by generate/generate.mjs from linux/kvm.h for ${architecture}. Do not edit: run it again.`,
    `import { ${imports.join(', ')} } from './layout.js'\n`,
    `/** The version of the header. */\nexport const headerVersion = '${version >> 16}.${(version >> 8) & 255}'\n`,
    numberTable('ioctls', 'Request numbers, by the name in linux/kvm.h.', some(isRequest)),
    textTable(
      'ioctlArguments',
      'What each request names as its argument: a structure, a number’s type, none.',
      argumentsOf,
    ),
    numberTable('capabilities', 'For KVM_CHECK_EXTENSION.', some(isCapability)),
    numberTable('exitReasons', 'Values of kvm_run.exit_reason.', some(isReason)),
    numberTable(
      'constants',
      'Everything else that is a number: flags, directions, parts of register ids (bigint).',
      some((name) => !isRequest(name) && !isCapability(name) && !isReason(name)),
    ),
    ...registerTables(macros, compiler),
    layouts,
    "/** The same by path: `layouts.kvm_sregs.fields['cs.base']`. Fields are little-endian. */",
    'export const layouts = flatten(structures)',
    '',
  ].join('\n')
}

/** Macros with parameters: families of register ids, and ids that are the place of a field in a structure. */
function registerTables(macros, compiler) {
  const withParameters = macros.filter((macro) => macro.parameters)
  const byField = withParameters.flatMap(({ name, parameters, body }) => {
    const [, struct, unit] = /^\(offsetof\(struct (\w+), (?:\w+)\) \/ sizeof\(([\w ]+)\)\)$/.exec(body) ?? []
    return parameters.length === 1 && struct ? [{ name, struct, unit }] : []
  })
  const units = compiler.evaluate(byField.map(({ name, unit }) => [name, `sizeof(${unit})`]))
  const places = byField.map(
    ({ name, struct }) => `${name}: { structure: '${struct}', unit: ${units.get(name)} }`,
  )

  const families = withParameters.filter(
    ({ name, parameters }) => parameters[0] !== '...' && !byField.some((macro) => macro.name === name),
  )
  return [
    textTable(
      'families',
      'Macros with parameters that are sums: the value is `base` plus each parameter times its `step`.',
      sumsAmong(families, compiler),
    ),
    textTable(
      'fieldRegisters',
      'Register numbers that are the place of a field: its offset in `structure`, divided by `unit`.',
      places,
    ),
  ]
}

function sumsAmong(macros, compiler) {
  const samplesOf = ({ parameters }) => {
    const unit = parameters.map((_, at) => parameters.map((_, other) => (other === at ? 1 : 0)))
    return [
      parameters.map(() => 0),
      ...unit,
      parameters.map((_, at) => (at % 2) + 2),
      parameters.map(() => 3),
    ]
  }
  const asked = macros.flatMap((macro) =>
    samplesOf(macro).map((sample, at) => [`${macro.name}@${at}`, `${macro.name}(${sample.join(', ')})`]),
  )
  const values = compiler.evaluate(asked)
  return macros.flatMap((macro) => {
    const samples = samplesOf(macro)
    const [base, ...rest] = samples.map((_, at) => values.get(`${macro.name}@${at}`))
    if (base === undefined || rest.includes(undefined)) return []
    const steps = macro.parameters.map((_, at) => rest[at] - base)
    const sum = (sample) => sample.reduce((total, n, at) => total + BigInt(n) * steps[at], base)
    if (!samples.every((sample, at) => values.get(`${macro.name}@${at}`) === sum(sample))) return []
    // Nothing is added where a parameter comes back as it was; a step of 0 means that the samples say nothing.
    if (steps.includes(0n) || (base === 0n && steps.join() === '1')) return []
    return [
      `${macro.name}: { base: ${bigintLiteral(base)}, steps: [${steps.map(bigintLiteral).join(', ')}] }`,
    ]
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: { stdout: { type: 'boolean' }, headers: { type: 'string' } },
  })
  const say = (line) => process.stderr.write(`${line}\n`)
  const includes = options.headers ?? (await obtainHeaders({ say }))
  for (const architecture of positionals.length > 0 ? positionals : architectures) {
    const text = generate(architecture, includes)
    if (options.stdout) process.stdout.write(text)
    else writeFileSync(new URL(`../src/generated/${architecture}.ts`, import.meta.url), text)
  }
}
