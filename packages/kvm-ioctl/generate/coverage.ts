// Writes docs/kvm-coverage.md: `npx tsx --tsconfig tsconfig.base.json packages/kvm-ioctl/generate/coverage.ts`.
//
// Which numbers an architecture has comes from the tables, which of those its KVM implements from the kernel's
// documentation, the methods from the API itself, and the tests by looking for who calls a method.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { aarch64, ioctlMethods, powerpc64le, riscv64, unusable, x86_64 } from '@spectrum/kvm-ioctl'

const root = fileURLToPath(new URL('../../../', import.meta.url))
export const pagePath = join(root, 'docs/kvm-coverage.md')

/** Where methods are called on purpose, and what the reader finds there. */
const TESTED_IN = ['packages/kvm-ioctl', 'examples/kvm-linux', 'examples/kvm-power']
/** Tests, the promises that the fake and the real KVM keep, and what the examples do. */
const IS_TEST = /^(packages\/kvm-ioctl\/(test|src\/conformance)|examples\/[^/]+\/src)\b/

const tables = { x86_64, aarch64, powerpc64le, riscv64 } as const
type Architecture = keyof typeof tables
const architectures = Object.keys(tables) as Architecture[]
const SHORT = { x86_64: 'x86', aarch64: 'arm', powerpc64le: 'power', riscv64: 'riscv' } as const

interface Documented {
  readonly linux: string
  readonly requests: Record<string, { section: string; architectures: string[]; says: string }>
}
const documented: Documented = JSON.parse(readFileSync(new URL('documented.json', import.meta.url), 'utf8'))

export interface Request {
  readonly name: string
  /** Where its number and its structure are in the header, and KVM implements it. */
  readonly architectures: readonly Architecture[]
  /** Whether that is the documentation's word, not only the header's. */
  readonly isDocumented: boolean
  /** `vm.createVcpu` … */
  readonly methods: readonly string[]
  /** Why it has none. */
  readonly reason: string | undefined
  /** Paths from the top of the checkout. */
  readonly tests: readonly string[]
}

/** Every request of the header that is not another architecture's. */
export function requests(): Request[] {
  const names = [...new Set(architectures.flatMap((name) => Object.keys(tables[name].ioctls)))].sort()
  const sources = sourcesOfTests()
  return names
    .filter((name) => !name.startsWith('KVM_S390_'))
    .map((name) => {
      const inHeader = architectures.filter((architecture) => name in tables[architecture].ioctls)
      const about = documented.requests[name]
      // "none" is what the documentation says of two requests that are not tied to an architecture.
      const isDocumented = about !== undefined && about.architectures.length > 0
      const methods = methodsOf(name)
      return {
        name,
        architectures: isDocumented
          ? inHeader.filter((each) => about.architectures.includes(each))
          : inHeader,
        isDocumented,
        methods,
        reason: (unusable as Readonly<Record<string, string>>)[name],
        tests: sources
          .filter(({ text }) => methods.some((method) => calls(text, method)))
          .map(({ path }) => path),
      }
    })
}

function methodsOf(request: string): string[] {
  return Object.entries(ioctlMethods).flatMap(([owner, methods]) =>
    Object.entries<{ readonly request: string }>(methods)
      .filter(([, method]) => method.request === request)
      .map(([method]) => `${owner}.${method}`),
  )
}

/** Whether a source calls `vm.createVcpu (…)`, whatever the vm is called there. */
function calls(text: string, method: string): boolean {
  const name = /\.(\w+)/.exec(method)![1]!
  return new RegExp(`\\.${name}\\(`).test(text)
}

function sourcesOfTests(): { path: string; text: string }[] {
  const files = TESTED_IN.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name))),
  )
  const tests = files.filter((path) => IS_TEST.test(path)).sort()
  return tests.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** The text of the page. */
export function page(): string {
  const all = requests()
  const others = new Set(architectures.flatMap((name) => Object.keys(tables[name].ioctls)))
  const foreign = [...others].filter((name) => name.startsWith('KVM_S390_')).length
  const count = (wanted: (request: Request) => boolean) => all.filter(wanted).length
  return [
    '# What of KVM has a method, and what tests it',
    '',
    `Written by \`packages/kvm-ioctl/generate/coverage.ts\` from the header of Linux ${x86_64.headerVersion}; do not edit.`,
    '',
    `The header has ${all.length} requests for these four architectures. ${count(({ methods }) => methods.length > 0)} have a method, ` +
      `${count(({ methods, reason }) => methods.length === 0 && reason !== undefined)} have none for the reason given, ` +
      `and ${count(({ tests }) => tests.length > 0)} are called by a test or an example. ` +
      `Another ${foreign} begin with \`KVM_S390_\` and belong to an architecture that has no bindings here.`,
    '',
    `Architectures are those of the kernel's documentation (\`Documentation/virt/kvm/api.rst\`, ${documented.linux}) that have ` +
      'the number in their header; where that is silent, marked `*`, they are the header’s alone. A test is a file that calls the ' +
      'method: those under `guest/lab` run in the labs, on that architecture. `vm.ioctl` and `vcpu.ioctl` make any other request.',
    '',
    '| request | architectures | method | called in |',
    '| --- | --- | --- | --- |',
    ...all.map(rowOf),
    '',
  ].join('\n')
}

function rowOf({ name, architectures: where, isDocumented, methods, reason, tests }: Request): string {
  const places = where.length === architectures.length ? 'all' : where.map((each) => SHORT[each]).join(', ')
  const method =
    methods.length > 0 ? methods.map((each) => `\`${each}\``).join(', ') : `none: ${reason ?? '?'}`
  return `| \`${name}\` | ${places}${isDocumented ? '' : ' *'} | ${method} | ${tests.map(short).join(', ') || '—'} |`
}

/** Paths without what they have in common. */
const short = (path: string) =>
  path.replace(/^packages\/kvm-ioctl\/(test\/)?/, '').replace(/^examples\/([^/]+)\/.*/, 'example $1')

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(pagePath, page())
