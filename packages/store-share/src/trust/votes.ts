import { fingerprint, type PublicKey, type Signature, verifySignature } from '../nix/signature.js'
import { type TrustPolicy, votersOf } from './policy.js'
import type { Claim, Remark } from './verdict.js'

/** The builder `builder` vouches for the facts of a claim, by a key that is valid now. */
export interface Vote {
  readonly builder: string
  readonly key: PublicKey
  /** Builders with a key in common have the same: one vote together. */
  readonly voter: number
  /** The builder's place in the policy. */
  readonly place: number
}

export interface Checked {
  readonly votes: readonly Vote[]
  readonly remarks: readonly Remark[]
}

interface Candidate extends Vote {
  readonly notBefore: number | undefined
  readonly notAfter: number | undefined
}

/** Knows the pinned keys by their names. */
export class SignatureChecker {
  readonly #candidates = new Map<string, Candidate[]>()

  constructor(
    { builders }: Pick<TrustPolicy, 'builders'>,
    readonly now: number,
  ) {
    const voters = votersOf(builders)
    for (const [index, { name, keys }] of builders.entries()) {
      for (const { publicKey, notBefore, notAfter } of keys) {
        const candidate = {
          builder: name,
          key: publicKey,
          voter: voters[index]!,
          place: index,
          notBefore,
          notAfter,
        }
        const sameName = this.#candidates.get(publicKey.name)
        if (sameName === undefined) this.#candidates.set(publicKey.name, [candidate])
        else sameName.push(candidate)
      }
    }
  }

  /**
   * Who vouches for a claim, and what is to be said of the other signatures. `verified` is for all claims about
   * one path: many sources carry the same signature.
   */
  check({ source, info }: Claim, verified: Map<string, boolean>): Checked {
    const votes: Vote[] = []
    const remarks: Remark[] = []
    if (info.signatures.length === 0) remarks.push({ kind: 'unsigned', source })
    const text = fingerprint(info)
    const isRight = (signature: Signature, { key }: Vote): boolean => {
      const id = `${key.key} ${signature.signature} ${text}`
      const right = verified.get(id) ?? verifySignature(text, signature, key)
      verified.set(id, right)
      return right
    }
    for (const signature of info.signatures) {
      const { keyName } = signature
      const candidates = this.#candidates.get(keyName)
      if (candidates === undefined) {
        remarks.push({ kind: 'untrusted-key', source, keyName })
        continue
      }
      const signers = candidates.filter((candidate) => isRight(signature, candidate))
      if (signers.length === 0) remarks.push({ kind: 'invalid-signature', source, keyName })
      for (const signer of signers) {
        const invalid = this.#whyNotNow(signer)
        if (invalid === undefined) votes.push(signer)
        else remarks.push(invalid)
      }
    }
    return { votes, remarks }
  }

  #whyNotNow({ builder, key: { name: keyName }, notBefore, notAfter }: Candidate): Remark | undefined {
    if (notBefore !== undefined && this.now < notBefore) {
      return { kind: 'not-yet-valid', builder, keyName, notBefore }
    }
    if (notAfter !== undefined && this.now > notAfter) return { kind: 'expired', builder, keyName, notAfter }
    return undefined
  }
}

/** Counts the votes for one value: each voter once, in the name of its builder that the policy names first. */
export class Tally {
  readonly #votes = new Map<number, Vote[]>()

  add(vote: Vote): void {
    const known = this.#votes.get(vote.voter)
    if (known === undefined) this.#votes.set(vote.voter, [vote])
    else known.push(vote)
  }

  get builders(): readonly string[] {
    return [...this.#votes.values()].map((votes) => first(votes).builder).sort()
  }

  /** What is to be said of votes that count no more than another one. */
  get remarks(): readonly Remark[] {
    return [...this.#votes.values()].flatMap((votes) => {
      const counted = first(votes)
      return votes.flatMap((vote) => repeated(vote, counted))
    })
  }
}

function first(votes: readonly Vote[]): Vote {
  return [...votes].sort((a, b) => a.place - b.place || (a.key.name < b.key.name ? -1 : 1))[0]!
}

function repeated({ builder, key }: Vote, counted: Vote): readonly Remark[] {
  if (counted.builder === builder && counted.key.name === key.name && counted.key.key === key.key) return []
  const keyName = key.name
  return counted.key.key === key.key
    ? [{ kind: 'duplicate-key', builder, keyName, countedAs: counted.builder }]
    : [{ kind: 'same-builder', builder, keyName }]
}
