import { fingerprint, type PublicKey, type Signature, verifySignature } from '../nix/signature.js'
import { type TrustPolicy, votersOf } from './policy.js'
import type { Claim, Remark } from './verdict.js'

/** The builder `builder` vouches for the facts of a claim, by a key that is valid now. */
export interface Vote {
  readonly builder: string
  readonly key: PublicKey
  /** Builders with a key in common have the same: one vote together. */
  readonly voter: number
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
        const candidate = { builder: name, key: publicKey, voter: voters[index]!, notBefore, notAfter }
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

/** Counts the votes for one value: each voter once, by its first vote. */
export class Tally {
  readonly #first = new Map<number, Vote>()

  /** What is to be said when the vote counts no more than one that was there. */
  add(vote: Vote): Remark | undefined {
    const { builder, key } = vote
    const first = this.#first.get(vote.voter)
    if (first === undefined) {
      this.#first.set(vote.voter, vote)
      return undefined
    }
    if (first.key.key === key.key) {
      const countedAs = first.builder
      const again = first.builder === builder && first.key.name === key.name
      return again ? undefined : { kind: 'duplicate-key', builder, keyName: key.name, countedAs }
    }
    return { kind: 'same-builder', builder, keyName: key.name }
  }

  get builders(): readonly string[] {
    return [...this.#first.values()].map(({ builder }) => builder).sort()
  }
}
