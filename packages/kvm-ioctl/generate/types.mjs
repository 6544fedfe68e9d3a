// Reads the types of a header out of the debugging information that readelf prints (DWARF 4, section 7).
import { isOurs } from './compile.mjs'

/** One entry of the tree: `tag` and attributes without their DW_ prefixes. */
function entriesOf(text) {
  const byOffset = new Map()
  const open = []
  let entry
  for (const line of text.split('\n')) {
    const start = /^ <([0-9a-f]+)><([0-9a-f]+)>: Abbrev Number: \d+(?: \(DW_TAG_(\w+)\))?/.exec(line)
    if (start) {
      const depth = Number.parseInt(start[1], 16)
      if (!start[3]) continue // the end of a list of children
      entry = { tag: start[3], children: [] }
      byOffset.set(start[2], entry)
      open.length = depth
      open.at(-1)?.children.push(entry)
      open.push(entry)
      continue
    }
    const attribute = /^ +<[0-9a-f]+> +DW_AT_(\w+) *: \((\w+)\) (.*)$/.exec(line)
    if (!attribute || !entry) continue
    const [, name, form, rest] = attribute
    entry[name] = attributeValue(form, rest)
  }
  return byOffset
}

function attributeValue(form, text) {
  if (form === 'strp') return /^\(offset: (?:0x)?[0-9a-f]+\): (.*)$/.exec(text)[1]
  if (form.startsWith('ref')) return /<0x([0-9a-f]+)>/.exec(text)[1]
  if (form === 'string') return text
  return Number(/^-?(0x[0-9a-f]+|\d+)/.exec(text)?.[0] ?? 0)
}

/** Paths of the line table's files, by their number in DW_AT_decl_file. */
function filesOf(text) {
  const directories = []
  for (const [, number, path] of text.matchAll(/^ {2}(\d+)\t([^\t\n]+)$/gm)) directories[number] = path
  const files = []
  for (const [, number, directory, name] of text.matchAll(/^ {2}(\d+)\t(\d+)\t\d+\t\d+\t(.+)$/gm))
    files[number] = `${directories[directory] ?? '.'}/${name}`
  return files
}

/**
 * The structures, unions and enumerators that linux/kvm.h and asm/kvm.h define, and the structures of other
 * headers that are part of one of them.
 *
 * A type is `{ kind: 'number', size, signed }`, `{ kind: 'array', of, count }` (`count` 0: as many as follow),
 * or `{ kind: 'structure' | 'union', name?, size, members }` with members `{ name?, offset, type, bits? }`.
 */
export function typesOf(text) {
  const entries = entriesOf(text)
  const files = filesOf(text)
  const known = new Map()
  const ours = (entry) => isOurs(files[entry.decl_file] ?? '')

  function typeAt(offset) {
    const entry = entries.get(offset)
    if (!entry) throw new Error('a type that is not there')
    const before = known.get(entry)
    if (before) return before
    const type = {}
    known.set(entry, type)
    return Object.assign(type, describe(entry))
  }

  function describe(entry) {
    switch (entry.tag) {
      case 'base_type':
        // Encodings 5 and 6 are signed; plain `char` is a byte on every architecture.
        return {
          kind: 'number',
          size: entry.byte_size,
          signed: [5, 6].includes(entry.encoding) && entry.name !== 'char',
        }
      case 'pointer_type':
        return { kind: 'number', size: entry.byte_size, signed: false }
      case 'enumeration_type':
        return { kind: 'number', size: entry.byte_size, signed: false }
      case 'typedef':
      case 'const_type':
      case 'volatile_type':
        return typeAt(entry.type)
      case 'array_type':
        return arrayOf(typeAt(entry.type), entry.children.map(countOf))
      case 'structure_type':
      case 'union_type':
        return {
          kind: entry.tag === 'union_type' ? 'union' : 'structure',
          name: entry.name,
          size: entry.byte_size ?? 0,
          members: entry.children.filter((child) => child.tag === 'member').map(memberOf),
        }
      default:
        throw new Error(`a type of an unknown sort: ${entry.tag}`)
    }
  }

  const arrayOf = (of, [count, ...inner]) => ({
    kind: 'array',
    of: inner.length > 0 ? arrayOf(of, inner) : of,
    count,
  })
  /** `[]` has no bound and `[0]` has none or one below zero. */
  const countOf = (range) =>
    range.count ?? (range.upper_bound === undefined ? 0 : (range.upper_bound + 1) % 2 ** 32)

  function memberOf(entry) {
    const type = typeAt(entry.type)
    const member = { name: entry.name, offset: entry.data_member_location ?? 0, type }
    if (entry.bit_size === undefined) return member
    // DWARF counts from the most significant bit of the storage; all four architectures are little-endian.
    const shift = entry.byte_size * 8 - entry.bit_offset - entry.bit_size
    return { ...member, bits: { shift, width: entry.bit_size } }
  }

  const top = [...entries.values()].filter((entry) => entry.byte_size !== undefined && !entry.declaration)
  const enumerators = top
    .filter((entry) => entry.tag === 'enumeration_type' && ours(entry))
    .flatMap((entry) => entry.children.map((child) => child.name))
  const structures = new Map()
  const add = (type) => {
    if (type.kind === 'array') return add(type.of)
    if (type.kind === 'number' || (type.name && structures.has(type.name))) return
    // What a structure holds comes before it.
    for (const member of type.members) add(member.type)
    if (type.name) structures.set(type.name, type)
  }
  for (const [offset, entry] of entries)
    if (/^(structure|union)_type$/.test(entry.tag) && entry.name && !entry.declaration && ours(entry))
      add(typeAt(offset))
  return { structures, enumerators }
}
