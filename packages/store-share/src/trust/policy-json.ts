import type { Result } from 'neverthrow'
import { found } from '../nix/malformed.js'
import { formatNarHash, parseNarHash } from '../nix/nar-hash.js'
import { formatPublicKey, type PublicKey, parsePublicKey } from '../nix/signature.js'
import { type JsonNode, parseStrictJson } from '../nix/strict-json.js'
import {
  type Builder,
  CONTENT_ADDRESS_RULES,
  type ContentAddressRule,
  checkPolicy,
  invalidPolicy,
  type PathRule,
  type PinnedKey,
  type PolicyError,
  type PolicyProblem,
  type TrustPolicy,
} from './policy.js'
import { formatInstant, parseInstant } from './time.js'

const JSON_LIMITS = { bytes: 32 << 20, depth: 8 } as const

/**
 * Reads a policy from JSON, strictly: a field that is not known, a value of the wrong kind, a name that comes
 * twice is refused with its line, so that a slip of the pen is never a weaker policy.
 *
 * ```json
 * { "version": 1, "need": 2, "contentAddressed": "recompute",
 *   "builders": [
 *     { "name": "alpha", "keys": [{ "publicKey": "alpha-1:…", "notAfter": "2027-01-01T00:00:00Z" }] },
 *     { "name": "beta", "keys": [{ "publicKey": "beta-1:…" }] } ],
 *   "overrides": { "/nix/store/…-firmware": { "need": 0, "narHash": "sha256-…" } } }
 * ```
 */
export function parsePolicy(input: Uint8Array | string): Result<TrustPolicy, PolicyError> {
  const json = parseStrictJson(input, JSON_LIMITS)
  if (json.isErr()) return invalidPolicy([{ at: '', line: json.error.line, problem: json.error.reason }])
  const reader = new PolicyReader()
  const policy = reader.policy(json.value)
  if (policy === undefined || reader.problems.length > 0) return invalidPolicy(reader.problems)
  return checkPolicy(policy).orElse(({ problems }) =>
    invalidPolicy(problems.map((problem) => ({ ...problem, ...reader.lineOf(problem.at) }))),
  )
}

/** The JSON that `parsePolicy` reads back as an equal policy. */
export function formatPolicy(policy: TrustPolicy): string {
  const { builders, need, contentAddressed, overrides } = policy
  const instants = ({ notBefore, notAfter }: PinnedKey) => ({
    ...(notBefore === undefined ? {} : { notBefore: formatInstant(notBefore) }),
    ...(notAfter === undefined ? {} : { notAfter: formatInstant(notAfter) }),
  })
  const rules = [...(overrides ?? [])].map(([path, { narHash, ...rule }]) => [
    path,
    { ...rule, ...(narHash === undefined ? {} : { narHash: formatNarHash(narHash) }) },
  ])
  const json = {
    version: 1,
    need,
    contentAddressed,
    builders: builders.map(({ name, keys }) => ({
      name,
      keys: keys.map((key) => ({ publicKey: formatPublicKey(key.publicKey), ...instants(key) })),
    })),
    ...(rules.length === 0 ? {} : { overrides: Object.fromEntries(rules) }),
  }
  return `${JSON.stringify(json, undefined, 2)}\n`
}

type Members = ReadonlyMap<string, JsonNode>

/** Collects problems on the way; what it returns is of use only when there are none. */
class PolicyReader {
  readonly problems: PolicyProblem[] = []
  readonly #lines = new Map<string, number>()

  policy(node: JsonNode): TrustPolicy | undefined {
    const members = this.#object(node, '', ['version', 'need', 'contentAddressed', 'builders'], ['overrides'])
    if (members === undefined) return undefined
    if (this.#number(members, 'version') !== 1) {
      this.#refuse(members.get('version') ?? node, 'version', 'this reads version 1 only')
    }
    const overrides = members.get('overrides')
    return {
      need: this.#number(members, 'need'),
      contentAddressed: this.#contentAddressed(members, ''),
      builders: this.#items(members, 'builders', '').map((each, index) =>
        this.#builder(each, `builders[${index}]`),
      ),
      ...(overrides === undefined ? {} : { overrides: this.#overrides(overrides) }),
    }
  }

  /** For problems that are found later. */
  lineOf(at: string): { readonly line?: number } {
    for (let place = at; place !== ''; place = place.replace(/[.[][^.[]*$/, '')) {
      const line = this.#lines.get(place)
      if (line !== undefined) return { line }
      if (!/[.[]/.test(place)) break
    }
    return {}
  }

  #builder(node: JsonNode, at: string): Builder {
    const members = this.#object(node, at, ['name', 'keys'])
    if (members === undefined) return { name: '', keys: [] }
    return {
      name: this.#string(members, 'name', at),
      keys: this.#items(members, 'keys', at).map((each, index) => this.#key(each, `${at}.keys[${index}]`)),
    }
  }

  #key(node: JsonNode, at: string): PinnedKey {
    const members = this.#object(node, at, ['publicKey'], ['notBefore', 'notAfter'])
    const none: PublicKey = { name: '', key: '' }
    if (members === undefined) return { publicKey: none }
    const parsed = parsePublicKey(this.#string(members, 'publicKey', at))
    const text = members.get('publicKey')
    if (text !== undefined && parsed.isErr()) this.#refuse(text, `${at}.publicKey`, parsed.error.reason)
    return {
      publicKey: parsed.unwrapOr(none),
      ...this.#instant(members, 'notBefore', at),
      ...this.#instant(members, 'notAfter', at),
    }
  }

  #instant<K extends string>(members: Members, name: K, at: string): { readonly [_ in K]?: number } {
    const node = members.get(name)
    if (node === undefined) return {}
    const time = parseInstant(this.#string(members, name, at))
    if (time === undefined) this.#refuse(node, `${at}.${name}`, 'a time looks like 2026-11-22T13:24:20Z')
    return { [name]: time ?? 0 } as { readonly [_ in K]?: number }
  }

  #overrides(node: JsonNode): Map<string, PathRule> {
    const rules = new Map<string, PathRule>()
    if (node.kind !== 'object') {
      this.#refuse(node, 'overrides', 'it is no object')
      return rules
    }
    for (const [path, rule] of node.members) rules.set(path, this.#rule(rule, `overrides[${found(path)}]`))
    return rules
  }

  #rule(node: JsonNode, at: string): PathRule {
    const members = this.#object(node, at, [], ['need', 'builders', 'contentAddressed', 'narHash'])
    if (members === undefined) return {}
    const narHash = members.get('narHash')
    const digits = narHash === undefined ? undefined : parseNarHash(this.#string(members, 'narHash', at))
    if (narHash !== undefined && digits === undefined) {
      this.#refuse(narHash, `${at}.narHash`, 'it is no SHA-256 that Nix writes')
    }
    return {
      ...(members.has('need') ? { need: this.#number(members, 'need', at) } : {}),
      ...(members.has('builders') ? { builders: this.#names(members, at) } : {}),
      ...(members.has('contentAddressed') ? { contentAddressed: this.#contentAddressed(members, at) } : {}),
      ...(digits === undefined ? {} : { narHash: digits }),
    }
  }

  #names(members: Members, at: string): string[] {
    return this.#items(members, 'builders', at).map((node, index) => {
      if (node.kind === 'string') return node.value
      this.#refuse(node, `${at}.builders[${index}]`, 'it is no string')
      return ''
    })
  }

  #contentAddressed(members: Members, at: string): ContentAddressRule {
    const text = this.#string(members, 'contentAddressed', at)
    if (!CONTENT_ADDRESS_RULES.includes(text)) {
      const node = members.get('contentAddressed')
      if (node?.kind === 'string')
        this.#refuse(node, join(at, 'contentAddressed'), 'it is never, recompute or k-of-n')
    }
    return text as ContentAddressRule
  }

  #object(
    node: JsonNode,
    at: string,
    required: readonly string[],
    optional: readonly string[] = [],
  ): Members | undefined {
    this.#lines.set(at, node.line)
    if (node.kind !== 'object') {
      this.#refuse(node, at, 'it is no object')
      return undefined
    }
    for (const [name, member] of node.members) {
      this.#lines.set(join(at, name), member.line)
      if (!required.includes(name) && !optional.includes(name)) {
        this.#refuse(member, at, `the field ${found(name)} is not known`)
      }
    }
    for (const name of required) {
      if (!node.members.has(name)) this.#refuse(node, at, `the field ${name} is missing`)
    }
    return node.members
  }

  #items(members: Members, name: string, at: string): readonly JsonNode[] {
    const node = members.get(name)
    if (node?.kind === 'array') return node.items
    if (node !== undefined) this.#refuse(node, join(at, name), 'it is no list')
    return []
  }

  #string(members: Members, name: string, at: string): string {
    const node = members.get(name)
    if (node?.kind === 'string') return node.value
    if (node !== undefined) this.#refuse(node, join(at, name), 'it is no string')
    return ''
  }

  #number(members: Members, name: string, at = ''): number {
    const node = members.get(name)
    if (node?.kind === 'number') return node.value
    if (node !== undefined) this.#refuse(node, join(at, name), 'it is no number')
    return 0
  }

  #refuse({ line }: JsonNode, at: string, problem: string): void {
    this.problems.push({ at, line, problem })
  }
}

function join(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`
}
