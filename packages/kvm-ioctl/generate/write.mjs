// Writes the tables as TypeScript: many entries to a line, because a table is looked things up in, not read.

const WIDTH = 110
/** What fits on a line with the longest name before it. */
const SHORT = 65

/** `pieces` in lines of at most WIDTH characters, each but the last with a comma. */
export function fill(pieces, indent) {
  const lines = []
  let line = indent
  for (const piece of pieces) {
    if (line.length > indent.length && line.length + piece.length + 2 > WIDTH) {
      lines.push(line)
      line = indent
    }
    line += `${line.length > indent.length ? ' ' : ''}${piece},`
  }
  if (line.length > indent.length) lines.push(line)
  return lines.join('\n')
}

const digitsOf = (value) => (value < 10n ? `${value}` : `0x${value.toString(16)}`)
export const bigintLiteral = (value) => `${digitsOf(value)}n`

/** Parts of register ids are all bigint, so that they can be joined; other numbers only where they must be. */
const literal = (name, value) => {
  const isPart = /^KVM_REG_/.test(name) && !name.endsWith('_SHIFT')
  return isPart || value > BigInt(Number.MAX_SAFE_INTEGER) ? bigintLiteral(value) : digitsOf(value)
}

const byValue = ([a, x], [b, y]) => (x < y ? -1 : x > y ? 1 : a < b ? -1 : 1)

/** `entries` are pairs of a name and a number. */
export function numberTable(name, comment, entries) {
  const pieces = [...entries].sort(byValue).map(([key, value]) => `${key}: ${literal(key, value)}`)
  return textTable(name, comment, pieces)
}

export const textTable = (name, comment, pieces) =>
  `/** ${comment} */\nexport const ${name} = {\n${fill(pieces, '  ')}\n} as const\n`

/** The layouts, as calls of the functions in layout.ts, each structure before those that hold it. */
export function structureTable(structures) {
  const texts = [...structures].map(([name, type]) => `const ${name} = ${structureText(type, '')}\n`)
  const names = [...structures.keys()].sort()
  return [
    ...texts,
    '/** Every structure by its name in C: sizes and offsets in bytes, what is nested as it is nested there. */',
    `export const structures = {\n${fill(names, '  ')}\n}\n`,
  ].join('\n')
}

function structureText(type, indent) {
  const { own, either } = membersOf(type)
  const inner = `${indent}  `
  const block = (members) => {
    if (members.length === 0) return '{}'
    const pieces = members.map((member) => `${member.name}: ${memberText(member, inner)}`)
    const one = `{ ${pieces.join(', ')} }`
    return !one.includes('\n') && one.length < SHORT ? one : `{\n${fill(pieces, inner)}\n${indent}}`
  }
  const ownText = type.kind === 'union' ? '' : `, ${block(own)}`
  const eitherText = either.length > 0 ? `, ${block(either)}` : ''
  return `${type.kind}(${type.size}${ownText}${eitherText})`
}

function memberText({ offset, type, bits }, indent) {
  if (bits) return `bits(${memberText({ offset, type }, indent)}, ${bits.shift}, ${bits.width})`
  switch (type.kind) {
    case 'number':
      return `${type.signed ? 'i' : 'u'}${type.size * 8}(${offset})`
    case 'array': {
      const element = memberText({ offset, type: type.of }, indent)
      return type.count === 0 ? `flexible(${element})` : `array(${element}, ${type.count})`
    }
    default:
      return `at(${offset}, ${type.name ?? structureText(type, indent)})`
  }
}

/**
 * The members of a structure, with those of its anonymous members in their place, as C has it. `either` are those
 * that share their bytes with others, because they come out of a union.
 */
function membersOf(type, base = 0, shared = type.kind === 'union') {
  const own = []
  const either = []
  for (const member of type.members) {
    const at = { ...member, offset: base + member.offset, type: flatArray(member.type) }
    // An empty structure with a name is there to make a flexible array legal in a union.
    if (member.name && member.type.members?.length === 0) continue
    if (member.name) (shared ? either : own).push(at)
    else {
      const inner = membersOf(member.type, at.offset, shared || member.type.kind === 'union')
      own.push(...inner.own)
      either.push(...inner.either)
    }
  }
  return { own, either }
}

/** `x[8][16]` lies in memory as `x[128]` does. */
function flatArray(type) {
  if (type.kind !== 'array' || type.of.kind !== 'array') return type
  const inner = flatArray(type.of)
  return { ...inner, count: type.count * inner.count }
}
