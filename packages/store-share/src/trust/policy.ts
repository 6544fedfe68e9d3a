import { err, ok, type Result } from 'neverthrow'
import { found } from '../nix/malformed.js'
import { formatPublicKey, type PublicKey, parsePublicKey } from '../nix/signature.js'
import { parseStorePath } from '../nix/store-path.js'
import { LAST_INSTANT } from './time.js'

/** Who has to vouch for a store path before a unit may have it. Data: it is compared, stored and printed. */
export interface TrustPolicy {
  /** Those who may vouch; at most 256. */
  readonly builders: readonly Builder[]
  /** How many builders must agree on hash, size and references of a path. Fixed: nobody's silence lowers it. */
  readonly need: number
  /** What becomes of paths that are the hash of their content. */
  readonly contentAddressed: ContentAddressRule
  /** By store path; what a rule does not say, the policy says. */
  readonly overrides?: ReadonlyMap<string, PathRule>
}

/**
 * A party that builds by itself. Builders that share a public key count as one, whatever they are called, and
 * a builder with several keys counts once.
 */
export interface Builder {
  /** 1 to 64 printable ASCII characters; no two builders have the same. */
  readonly name: string
  /** 1 to 64, each once; a signature by any of them is the builder's. */
  readonly keys: readonly PinnedKey[]
}

/** A key counts from `notBefore` to `notAfter`, both included, in milliseconds since 1970. */
export interface PinnedKey {
  /** As Nix's `trusted-public-keys` have it, parsed. */
  readonly publicKey: PublicKey
  /** Milliseconds since 1970; from ever when absent. */
  readonly notBefore?: number
  /** Milliseconds since 1970; for ever when absent. */
  readonly notAfter?: number
}

/**
 * What becomes of a path that is the hash of its own content, by a SHA-256 or SHA-512 that is recomputed:
 * `recompute` admits it without any signature, as Nix does; `k-of-n` treats it like any other path; `never`
 * refuses it, because nobody says where it comes from.
 */
export type ContentAddressRule = 'never' | 'recompute' | 'k-of-n'

/** What holds for one path instead of the policy's own rules; what it does not say, the policy says. */
export interface PathRule {
  /** How many builders must agree; 1 or more, 0 only together with `narHash`. */
  readonly need?: number
  /** Names; only these builders count. */
  readonly builders?: readonly string[]
  /** What becomes of this path where it is the hash of its content. */
  readonly contentAddressed?: ContentAddressRule
  /** 64 hexadecimal digits: nothing else is admitted. Together with `need: 0` it is enough by itself. */
  readonly narHash?: string
}

/** All that is wrong with a policy. */
export interface PolicyError {
  readonly kind: 'invalid-policy'
  /** The first five problems, and what follows from them. */
  readonly message: string
  /** All of them. */
  readonly problems: readonly PolicyProblem[]
}

/** One thing that is wrong with a policy, and where. */
export interface PolicyProblem {
  /** Where, such as `builders[1].keys[0].notAfter`; empty for the whole. */
  readonly at: string
  /** From 1, where the policy came as text. */
  readonly line?: number
  /** What is wrong there, in words. */
  readonly problem: string
}

/** How much a policy may hold. */
export const POLICY_LIMITS = {
  /** How many a policy may name. */
  builders: 256,
  /** How many keys one of them may have. */
  keysPerBuilder: 64,
  /** How many paths may have rules of their own. */
  overrides: 100_000,
} as const

export const CONTENT_ADDRESS_RULES: readonly string[] = ['never', 'recompute', 'k-of-n']

/** Every reason why a policy cannot be followed, not only the first. */
export function checkPolicy(policy: TrustPolicy): Result<TrustPolicy, PolicyError> {
  const problems = [...problemsOf(policy)]
  return problems.length === 0 ? ok(policy) : invalidPolicy(problems)
}

export function invalidPolicy(problems: readonly PolicyProblem[]): Result<never, PolicyError> {
  const shown = problems.slice(0, 5).map(({ at, line, problem }) => {
    const where = [...(at === '' ? [] : [at]), ...(line === undefined ? [] : [`line ${line}`])].join(', ')
    return where === '' ? problem : `${where}: ${problem}`
  })
  const more = problems.length > shown.length ? ` (and ${problems.length - shown.length} more)` : ''
  return err({
    kind: 'invalid-policy',
    problems,
    message: `The trust policy cannot be used. ${shown.join('; ')}${more}. Nothing is admitted until it is corrected.`,
  })
}

function* problemsOf({ builders, need, contentAddressed, overrides }: TrustPolicy): Generator<PolicyProblem> {
  if (builders.length > POLICY_LIMITS.builders) {
    yield { at: 'builders', problem: `there are more than ${POLICY_LIMITS.builders}` }
    return
  }
  const names = new Set<string>()
  for (const [index, builder] of builders.entries()) {
    if (names.has(builder.name)) yield { at: `builders[${index}].name`, problem: 'the name comes twice' }
    names.add(builder.name)
    yield* problemsOfBuilder(builder, `builders[${index}]`)
  }
  const voters = votersByName(builders)
  yield* problemsOfNeed('need', need, 1, countVoters(voters))
  yield* problemsOfRule('contentAddressed', contentAddressed)
  if (overrides === undefined) return
  if (overrides.size > POLICY_LIMITS.overrides) {
    yield { at: 'overrides', problem: `there are more than ${POLICY_LIMITS.overrides}` }
    return
  }
  for (const [path, rule] of overrides) {
    const at = `overrides[${found(path)}]`
    const parsed = parseStorePath(path)
    if (parsed.isErr()) yield { at, problem: parsed.error.message }
    yield* problemsOfOverride(rule, at, voters, need)
  }
}

function* problemsOfBuilder({ name, keys }: Builder, at: string): Generator<PolicyProblem> {
  if (!/^[!-~](?:[ -~]{0,62}[!-~])?$/.test(name)) {
    yield { at: `${at}.name`, problem: 'a name has 1 to 64 printable ASCII characters' }
  }
  if (keys.length === 0) yield { at: `${at}.keys`, problem: 'a builder without a key can never vouch' }
  if (keys.length > POLICY_LIMITS.keysPerBuilder) {
    yield { at: `${at}.keys`, problem: `there are more than ${POLICY_LIMITS.keysPerBuilder}` }
  }
  const seen = new Set<string>()
  for (const [index, { publicKey, notBefore, notAfter }] of keys.entries()) {
    const where = `${at}.keys[${index}]`
    const parsed = parsePublicKey(formatPublicKey(publicKey))
    if (parsed.isErr()) yield { at: `${where}.publicKey`, problem: parsed.error.reason }
    const text = formatPublicKey(publicKey)
    if (seen.has(text)) yield { at: `${where}.publicKey`, problem: 'the key comes twice' }
    seen.add(text)
    for (const [field, time] of Object.entries({ notBefore, notAfter })) {
      if (time !== undefined && !(Number.isSafeInteger(time) && time >= 0 && time <= LAST_INSTANT)) {
        yield { at: `${where}.${field}`, problem: 'it is no whole number of milliseconds from 1970 to 9999' }
      }
    }
    if (notBefore !== undefined && notAfter !== undefined && notAfter < notBefore) {
      yield { at: `${where}.notAfter`, problem: 'it lies before notBefore, so the key never counts' }
    }
  }
}

function* problemsOfOverride(
  rule: PathRule,
  at: string,
  voters: ReadonlyMap<string, number>,
  need: number,
): Generator<PolicyProblem> {
  for (const name of rule.builders ?? []) {
    if (!voters.has(name)) yield { at: `${at}.builders`, problem: `there is no builder ${found(name)}` }
  }
  if (rule.contentAddressed !== undefined) {
    yield* problemsOfRule(`${at}.contentAddressed`, rule.contentAddressed)
  }
  if (rule.narHash !== undefined && !/^[0-9a-f]{64}$/.test(rule.narHash)) {
    yield { at: `${at}.narHash`, problem: 'it is no SHA-256 of 64 hexadecimal digits' }
  }
  // Without any signature only a hash says what may come.
  const least = rule.narHash === undefined ? 1 : 0
  yield* problemsOfNeed(`${at}.need`, rule.need ?? need, least, countVoters(voters, rule.builders))
}

function* problemsOfNeed(at: string, need: number, least: number, most: number): Generator<PolicyProblem> {
  if (!Number.isSafeInteger(need) || need < least) {
    yield { at, problem: `it must be a whole number from ${least} on` }
  } else if (need > most) {
    yield { at, problem: `${need} must agree, but only ${most} with distinct keys can` }
  }
}

function* problemsOfRule(at: string, rule: string): Generator<PolicyProblem> {
  if (!CONTENT_ADDRESS_RULES.includes(rule)) yield { at, problem: 'it is never, recompute or k-of-n' }
}

/**
 * For each builder, by its place, the first of those that hold a key in common with it, directly or through
 * others: together they have one vote.
 */
export function votersOf(builders: readonly Builder[]): readonly number[] {
  const voters = builders.map((_, index) => index)
  const holders = new Map<string, number>()
  for (const [index, { keys }] of builders.entries()) {
    for (const { publicKey } of keys) {
      const holder = holders.get(publicKey.key) ?? index
      holders.set(publicKey.key, holder)
      const [one, other] = [voters[holder]!, voters[index]!]
      const [first, merged] = one < other ? [one, other] : [other, one]
      for (const [at, voter] of voters.entries()) if (voter === merged) voters[at] = first
    }
  }
  return voters
}

function votersByName(builders: readonly Builder[]): ReadonlyMap<string, number> {
  const voters = votersOf(builders)
  return new Map(builders.map(({ name }, index) => [name, voters[index]!]))
}

function countVoters(voters: ReadonlyMap<string, number>, among: Iterable<string> = voters.keys()): number {
  const counted = [...among].map((name) => voters.get(name)).filter((voter) => voter !== undefined)
  return new Set(counted).size
}
