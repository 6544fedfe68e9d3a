import type { Result } from 'neverthrow'
import { type ContentProof, proveContent } from './content-claims.js'
import { type ContentAddressRule, checkPolicy, type PolicyError, type TrustPolicy } from './policy.js'
import {
  admittedValue,
  type Claim,
  type ClaimedValue,
  type Outcome,
  type PathValue,
  type PathVerdict,
  type Remark,
  type Verdict,
} from './verdict.js'
import { SignatureChecker, Tally } from './votes.js'

/** What `judge` is asked. */
export interface Question {
  /** Store paths that are to be granted together: a closure. */
  readonly paths: Iterable<string>
  /** What the sources say, in any order; about other paths too. A source may say several things of one path. */
  readonly claims: Iterable<Claim>
  /** Milliseconds since 1970. */
  readonly now: number
}

/**
 * Whether a policy admits these paths, and why. Nothing is fetched and no clock is read: the same question
 * has the same answer. Fails only for a policy that cannot be followed.
 *
 * The verdict is about facts (hash, size, references) and holds for whoever supplies data with these facts.
 * Data is admitted when its NAR has the admitted hash; check that while it is unpacked.
 *
 * @example
 * ```ts
 * import { formatVerdict, judge, type NarInfo, parsePolicy } from '@spectrum/store-share'
 *
 * export function admitted(policyText: string, infos: readonly NarInfo[], now: number): boolean {
 *   const policy = parsePolicy(policyText)._unsafeUnwrap()
 *   const claims = infos.map((info) => ({ source: 'cache.example.org', info }))
 *   const verdict = judge(policy, { paths: infos.map(({ path }) => path), claims, now })._unsafeUnwrap()
 *   if (!verdict.admitted) console.error(formatVerdict(verdict))
 *   return verdict.admitted
 * }
 * ```
 */
export function judge(policy: TrustPolicy, question: Question): Result<Verdict, PolicyError> {
  return checkPolicy(policy).map(() => {
    const paths = new Set(question.paths)
    const claims = new Map<string, Claim[]>()
    for (const claim of question.claims) {
      if (!paths.has(claim.info.path)) continue
      const known = claims.get(claim.info.path)
      if (known === undefined) claims.set(claim.info.path, [claim])
      else known.push(claim)
    }
    const checker = new SignatureChecker(policy, question.now)
    const verdicts = [...paths]
      .sort()
      .map((path) =>
        keepInside(judgePath(path, ruleFor(policy, path), claims.get(path) ?? [], checker), paths),
      )
    return { admitted: verdicts.every((each) => admittedValue(each) !== undefined), paths: verdicts }
  })
}

/** The policy for one path. */
interface Rule {
  readonly need: number
  readonly contentAddressed: ContentAddressRule
  readonly narHash: string | undefined
  readonly counted: ReadonlySet<string>
}

function ruleFor(policy: TrustPolicy, path: string): Rule {
  const rule = policy.overrides?.get(path)
  return {
    need: rule?.need ?? policy.need,
    contentAddressed: rule?.contentAddressed ?? policy.contentAddressed,
    narHash: rule?.narHash,
    counted: new Set(rule?.builders ?? policy.builders.map(({ name }) => name)),
  }
}

/** Everything that was claimed as one value. */
class Candidate {
  readonly tally = new Tally()
  readonly sources = new Set<string>()
  proof: ContentProof = { kind: 'none' }

  constructor(
    readonly value: PathValue,
    /** Equal for equal values. */
    readonly key: string,
  ) {}

  get builders(): readonly string[] {
    return this.tally.builders
  }

  get claimed(): ClaimedValue {
    return { value: this.value, builders: this.builders, sources: [...this.sources].sort() }
  }
}

function judgePath(
  path: string,
  rule: Rule,
  claims: readonly Claim[],
  checker: SignatureChecker,
): PathVerdict {
  const remarks: Remark[] = []
  const ordered = gather(claims, rule, checker, remarks)
  const eligible = ordered.filter(({ value: { narHash }, sources }) => {
    if (rule.narHash === undefined || rule.narHash === narHash) return true
    for (const source of sources) remarks.push({ kind: 'other-than-pinned', source, narHash })
    return false
  })
  const outcome = decide(rule, eligible)
  const claimed = ordered.map((candidate) => candidate.claimed)
  return { path, outcome, claimed, remarks: withoutRepetitions(remarks) }
}

/** The different values that were claimed, those with most builders first. */
function gather(
  claims: readonly Claim[],
  { counted }: Rule,
  checker: SignatureChecker,
  remarks: Remark[],
): readonly Candidate[] {
  const candidates = new Map<string, Candidate>()
  const verified = new Map<string, boolean>()
  for (const claim of claims) {
    const { narHash, narSize, references, selfReference } = claim.info
    const key = JSON.stringify([narHash, narSize, references, selfReference])
    const candidate =
      candidates.get(key) ?? new Candidate({ narHash, narSize, references, selfReference }, key)
    candidates.set(key, candidate)
    candidate.sources.add(claim.source)

    const checked = checker.check(claim, verified)
    remarks.push(...checked.remarks)
    for (const vote of checked.votes) {
      if (counted.has(vote.builder)) candidate.tally.add(vote)
      else remarks.push({ kind: 'not-counted', builder: vote.builder })
    }

    const proof = proveContent(claim)
    if (proof.remark !== undefined) remarks.push(proof.remark)
    if (strength(proof) > strength(candidate.proof)) candidate.proof = proof
  }
  for (const { tally } of candidates.values()) remarks.push(...tally.remarks)
  return [...candidates.values()].sort(
    (a, b) => b.builders.length - a.builders.length || (a.key < b.key ? -1 : 1),
  )
}

/** A proof that the NAR hash completes is better than one that asks for another hash. */
function strength({ kind, recheck }: ContentProof): number {
  if (kind === 'none') return 0
  if (kind === 'weak') return 1
  return recheck === undefined ? 3 : 2
}

function decide(rule: Rule, eligible: readonly Candidate[]): Outcome {
  return decideByContent(rule, eligible) ?? decideByVotes(rule, eligible)
}

function decideByContent(
  { need, contentAddressed }: Rule,
  eligible: readonly Candidate[],
): Outcome | undefined {
  const addressed = eligible.find(({ proof }) => proof.kind !== 'none')
  if (contentAddressed === 'never' && addressed !== undefined) {
    return { kind: 'content-address-refused', value: addressed.value }
  }
  const proved = eligible.filter(({ proof }) => proof.kind === 'proved')
  const [first, second] = proved
  if (contentAddressed !== 'recompute' || first === undefined) return undefined
  // Several can be proved only in what no path's digest covers, such as the size; then votes decide, or nobody.
  if (second !== undefined && first.builders.length === second.builders.length) {
    return { kind: 'disagreement', values: proved.map(({ claimed }) => claimed), need }
  }
  const { recheck } = first.proof
  return { kind: 'content-addressed', value: first.value, ...(recheck === undefined ? {} : { recheck }) }
}

function decideByVotes({ need }: Rule, eligible: readonly Candidate[]): Outcome {
  const enough = eligible.filter(({ builders }) => builders.length >= need)
  const [agreed] = enough
  if (agreed !== undefined && enough.length === 1) {
    const { value, builders } = agreed
    // Nobody need vouch only where the policy itself names the hash.
    return need === 0 ? { kind: 'pinned', value } : { kind: 'agreed', value, builders }
  }
  const vouched = enough.length > 1 ? enough : eligible.filter(({ builders }) => builders.length > 0)
  if (vouched.length > 1) return { kind: 'disagreement', values: vouched.map(({ claimed }) => claimed), need }
  return { kind: 'missing', builders: vouched[0]?.builders ?? [], need }
}

function keepInside(verdict: PathVerdict, paths: ReadonlySet<string>): PathVerdict {
  const value = admittedValue(verdict)
  const references = value?.references.filter((reference) => !paths.has(reference)) ?? []
  if (value === undefined || references.length === 0) return verdict
  return { ...verdict, outcome: { kind: 'reference-outside', value, references } }
}

function withoutRepetitions(remarks: readonly Remark[]): readonly Remark[] {
  return [...new Map(remarks.map((remark) => [JSON.stringify(remark), remark])).values()]
}
