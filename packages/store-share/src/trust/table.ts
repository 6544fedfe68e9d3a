import { formatNarHash } from '../nix/nar-hash.js'
import { STORE_DIRECTORY } from '../nix/store-path.js'
import { quote } from '../quote.js'
import { formatInstant } from './time.js'
import {
  admittedValue,
  type ClaimedValue,
  type Outcome,
  type PathValue,
  type Remark,
  type Verdict,
} from './verdict.js'

/** How much of a verdict is printed. */
export interface TableOptions {
  /** Remarks on admitted paths too. Default: only where something is refused or disputed. */
  readonly everything?: boolean | undefined
}

/**
 * A verdict for people: one line for each path, the reasons below it. Text from outside is escaped, so it is safe
 * on a terminal and in a log.
 */
export function formatVerdict(verdict: Verdict, { everything = false }: TableOptions = {}): string {
  const refused = verdict.paths.filter((path) => admittedValue(path) === undefined).length
  const total = count(verdict.paths.length, 'path')
  const lines = [verdict.admitted ? `admitted: ${total}` : `refused: ${refused} of ${total}`]
  const width = Math.max(0, ...verdict.paths.map(({ outcome }) => WORDS[outcome.kind].length))
  for (const { path, outcome, claimed, remarks } of verdict.paths) {
    const name = path.startsWith(`${STORE_DIRECTORY}/`) ? path.slice(STORE_DIRECTORY.length + 1) : path
    const word = WORDS[outcome.kind].padEnd(width)
    lines.push(`${word}  ${quote(name)}: ${explain(outcome)}`)
    const disputed = claimed.length > 1
    if (disputed) lines.push(...claimed.map((value) => `    ${describe(value)}`))
    if (everything || disputed || !ADMITTED.has(outcome.kind)) {
      lines.push(...remarks.map((remark) => `    ${sentence(remark)}`))
    }
  }
  return `${lines.join('\n')}\n`
}

const WORDS: Readonly<Record<Outcome['kind'], string>> = {
  agreed: 'agreed',
  'content-addressed': 'content',
  pinned: 'pinned',
  missing: 'MISSING',
  disagreement: 'DISAGREEMENT',
  'content-address-refused': 'REFUSED',
  'reference-outside': 'OUTSIDE',
}

const ADMITTED: ReadonlySet<Outcome['kind']> = new Set(['agreed', 'content-addressed', 'pinned'])

function explain(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'agreed':
      return `${names(outcome.builders)} vouch${outcome.builders.length === 1 ? 'es' : ''} for ${show(outcome.value)}`
    case 'content-addressed':
      return outcome.recheck === undefined
        ? `the path is the hash of ${show(outcome.value)}`
        : `the path is the hash of its content, which is to be checked while it is unpacked`
    case 'pinned':
      return `the policy names ${show(outcome.value)}`
    case 'missing':
      return outcome.builders.length === 0
        ? `nobody vouches for it, ${count(outcome.need, 'builder')} must`
        : `only ${names(outcome.builders)} vouch${outcome.builders.length === 1 ? 'es' : ''} for it, ${count(outcome.need, 'builder')} must`
    case 'disagreement':
      return `builders vouch for ${outcome.values.length} different values`
    case 'content-address-refused':
      return 'it is content-addressed, which the policy does not admit'
    case 'reference-outside':
      return `it refers to ${names(outcome.references)}, outside of the closure`
  }
}

function describe({ value, builders, sources }: ClaimedValue): string {
  const by = builders.length === 0 ? 'nobody that counts' : names(builders)
  return `${show(value)}: by ${by}, from ${names(sources)}`
}

function show({ narHash, narSize, references, selfReference }: PathValue): string {
  const refers = count(references.length + (selfReference ? 1 : 0), 'reference')
  return `${formatNarHash(narHash)} (${count(narSize, 'byte')}, ${refers})`
}

function sentence(remark: Remark): string {
  switch (remark.kind) {
    case 'unsigned':
      return `${quote(remark.source)} has no signature of it`
    case 'untrusted-key':
      return `${quote(remark.source)} has a signature by ${quote(remark.keyName)}, which is no key of the policy`
    case 'invalid-signature':
      return `${quote(remark.source)} has a signature in the name of ${quote(remark.keyName)} that is wrong`
    case 'expired':
      return `the key ${quote(remark.keyName)} of ${quote(remark.builder)} ended at ${formatInstant(remark.notAfter)}`
    case 'not-yet-valid':
      return `the key ${quote(remark.keyName)} of ${quote(remark.builder)} begins at ${formatInstant(remark.notBefore)}`
    case 'duplicate-key':
      return `${quote(remark.builder)} signed with ${quote(remark.keyName)}, which is the same key as that of ${quote(remark.countedAs)}: counted once`
    case 'same-builder':
      return `${quote(remark.builder)} signed with ${quote(remark.keyName)} too: counted once`
    case 'not-counted':
      return `${quote(remark.builder)} vouches for it, but does not count for this path`
    case 'content-address-mismatch':
      return `${quote(remark.source)} claims the content address ${quote(remark.claimed)}, which ${remark.gives === undefined ? 'does not belong to this path' : `gives ${quote(remark.gives)}`}`
    case 'weak-content-address':
      return `${quote(remark.source)} claims the content address ${quote(remark.claimed)}, which is too weak to prove anything`
    case 'other-than-pinned':
      return `${quote(remark.source)} has ${formatNarHash(remark.narHash)}, which is not the hash that the policy names`
  }
}

const MOST_NAMES = 8

function names(all: readonly string[]): string {
  const shown = all.slice(0, MOST_NAMES).map((name) => quote(name, 80))
  return all.length > MOST_NAMES
    ? `${shown.join(', ')} and ${all.length - MOST_NAMES} more`
    : shown.join(', ')
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`
}
