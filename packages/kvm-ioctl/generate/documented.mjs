// Reads what the kernel's documentation says of each request into documented.json: `node generate/documented.mjs`.
//
// The header says which numbers an architecture has, not which requests its KVM implements; api.rst does. It comes
// from Debian's linux-doc of the same version as the header: 45 MB, downloaded for this and not kept.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { downloadFromDebian } from '../../cli/setup/foreign-debian.mjs'
import { pinned } from './headers.mjs'

const sha256 = '2fd06485929056827cf33fb92d6ba958da0f0b6898ee9be53ae3e7af7eda5f1e'
const release = pinned.version.split('.').slice(0, 2).join('.')
const page = `usr/share/doc/linux-doc-${release}/Documentation/virt/kvm/api.rst.gz`

/** What api.rst calls the architectures; some names appear in two spellings. */
const ARCHITECTURES = {
  x86_64: /\bx86\b/,
  aarch64: /\barm64\b/,
  powerpc64le: /\b(ppc|powerpc)\b/,
  riscv64: /\briscv\b/,
}

function sectionsOf(text) {
  const sections = []
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    const heading = /^(4\.\d+) (KVM_.*)$/.exec(line)
    if (!heading || !/^-{4,}$/.test(lines[index + 1] ?? '')) continue
    const fields = {}
    let name
    for (const following of lines.slice(index + 2, index + 16)) {
      const field = /^:(\w+): *(.*)$/.exec(following)
      if (field) {
        name = field[1]
        fields[name] = field[2]
      } else if (name && /^ +\S/.test(following)) fields[name] += ` ${following.trim()}`
      else if (following.trim() !== '') break
    }
    sections.push({ section: heading[1], names: namesOf(heading[2]), fields })
  }
  return sections
}

/** `KVM_A, KVM_B`, `KVM_A/KVM_B`, `KVM_(UN)A` and `KVM_A (deprecated)`. */
const namesOf = (heading) =>
  heading
    .replace(/KVM_\(UN\)(\w+)/, 'KVM_$1, KVM_UN$1')
    .split(/[,/]/)
    .map((name) => /KVM_\w+/.exec(name)?.[0])
    .filter(Boolean)

function architecturesOf(text = '') {
  const every = Object.keys(ARCHITECTURES)
  const except = /^all except (.*)/.exec(text)?.[1]
  if (except) return every.filter((name) => !ARCHITECTURES[name].test(except))
  if (/^all\b/.test(text)) return every
  return every.filter((name) => ARCHITECTURES[name].test(text))
}

const folder = mkdtempSync(join(tmpdir(), 'kvm-documented-'))
try {
  const names = [`linux-doc-${release}=${pinned.version}`]
  await downloadFromDebian({ suites: [pinned.suite], architecture: 'amd64', names, into: folder })
  const deb = join(folder, readdirSync(folder)[0])
  const found = createHash('sha256').update(readFileSync(deb)).digest('hex')
  if (found !== sha256) throw new Error(`linux-doc-${release} has sha256 ${found}, not ${sha256}`)
  const { status, stderr } = spawnSync('dpkg-deb', ['-x', deb, join(folder, 'unpacked')], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  const text = gunzipSync(readFileSync(join(folder, 'unpacked', page))).toString()
  const requests = sectionsOf(text).flatMap(({ section, names, fields }) =>
    names.map((name) => [
      name,
      { section, architectures: architecturesOf(fields.Architectures), says: fields.Architectures ?? '' },
    ]),
  )
  requests.sort(([a], [b]) => (a < b ? -1 : 1))
  const list = (values) => `[${values.map((value) => JSON.stringify(value)).join(', ')}]`
  const lines = requests.map(
    ([name, { section, architectures, says }]) =>
      `    "${name}": {\n      "section": "${section}",\n      "architectures": ${list(architectures)},\n      "says": ${JSON.stringify(says)}\n    }`,
  )
  const json = `{\n  "linux": "${release}",\n  "requests": {\n${lines.join(',\n')}\n  }\n}\n`
  writeFileSync(new URL('documented.json', import.meta.url), json)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
