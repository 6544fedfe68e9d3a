import type { ContentAddress } from '../nix/content-address.js'
import type { NixPathInfo } from '../nix/nix-path-info.js'

/** What one source, such as a binary cache, says of a store path. */
export interface Claim {
  /** The source's name, for people. */
  readonly source: string
  /** What it says. */
  readonly info: NixPathInfo
}

/** What a builder vouches for. Two claims agree when all of it is equal. */
export interface PathValue {
  /** SHA-256 of the NAR, 64 lower-case hexadecimal digits. */
  readonly narHash: string
  /** Bytes. */
  readonly narSize: number
  /** Store paths, sorted, without the path itself. */
  readonly references: readonly string[]
  /** Whether the path refers to itself. */
  readonly selfReference: boolean
}

/** A value, and who stands behind it. */
export interface ClaimedValue {
  /** What they vouch for. */
  readonly value: PathValue
  /** Builders with a valid signature, each once. */
  readonly builders: readonly string[]
  /** Sources that offer it. */
  readonly sources: readonly string[]
}

/** What a policy says of a closure. */
export interface Verdict {
  /** Every path is admitted and refers to nothing outside. */
  readonly admitted: boolean
  /** Sorted by path, each once. */
  readonly paths: readonly PathVerdict[]
}

/** What a policy says of one path, and why. */
export interface PathVerdict {
  /** The store path. */
  readonly path: string
  /** What became of it. */
  readonly outcome: Outcome
  /** All values that were claimed, those with most builders first. */
  readonly claimed: readonly ClaimedValue[]
  /** What else was noticed; none of it alone refuses a path. */
  readonly remarks: readonly Remark[]
}

/** What became of a path: `agreed` and `content-addressed` admit it, the other kinds say why not. */
export type Outcome =
  /** Enough builders vouch for one value. Others may vouch for another one: see `claimed`. */
  | {
      readonly kind: 'agreed'
      /** What they vouch for. */
      readonly value: PathValue
      /** Names of the builders of the policy that vouch for it. */
      readonly builders: readonly string[]
    }
  /**
   * The path is the hash of its content. Where `recheck` is given, the NAR hash does not prove it: hash the
   * content in this way too while it is unpacked (`ContentAddressHasher`), before anything of it is visible.
   */
  | {
      readonly kind: 'content-addressed'
      /** What the path is the hash of. */
      readonly value: PathValue
      /** How the content has to be hashed besides. */
      readonly recheck?: ContentAddress
    }
  /** The policy names this hash and needs nobody else. */
  | {
      readonly kind: 'pinned'
      /** What is claimed for the hash that the policy names. */
      readonly value: PathValue
    }
  /** No source has it, or too few builders vouch for what they have. */
  | {
      readonly kind: 'missing'
      /** Names of those that vouch for something; fewer than `need`. */
      readonly builders: readonly string[]
      /** How many of the builders have to agree, by the rule for this path. */
      readonly need: number
    }
  /** Builders vouch for different values: an independent rebuild came out otherwise, or somebody lies. */
  | {
      readonly kind: 'disagreement'
      /** Each value that a builder vouches for, with who does. */
      readonly values: readonly ClaimedValue[]
      /** How many of the builders have to agree, by the rule for this path. */
      readonly need: number
    }
  /** The path is content-addressed and the policy admits no such path. */
  | {
      readonly kind: 'content-address-refused'
      /** What is claimed of it. */
      readonly value: PathValue
    }
  /** It would be admitted, but it refers to paths that are not among those that were asked about. */
  | {
      readonly kind: 'reference-outside'
      /** What it would be admitted as. */
      readonly value: PathValue
      /** Store paths outside of the question. */
      readonly references: readonly string[]
    }

/** Something noticed about a claim that decided nothing. */
export type Remark =
  | {
      readonly kind: 'unsigned'
      /** Name of the source whose claim it is about. */
      readonly source: string
    }
  | {
      readonly kind: 'untrusted-key'
      /** Name of the source whose claim it is about. */
      readonly source: string
      /** Name of a key that the policy does not pin. */
      readonly keyName: string
    }
  | {
      readonly kind: 'invalid-signature'
      /** Name of the source whose claim it is about. */
      readonly source: string
      /** Name of the key, as the signature has it. */
      readonly keyName: string
    }
  | {
      readonly kind: 'expired'
      /** Name of the builder, as the policy has it. */
      readonly builder: string
      /** Name of the key, as the signature has it. */
      readonly keyName: string
      /** Milliseconds since 1970. */
      readonly notAfter: number
    }
  | {
      readonly kind: 'not-yet-valid'
      /** Name of the builder, as the policy has it. */
      readonly builder: string
      /** Name of the key, as the signature has it. */
      readonly keyName: string
      /** Milliseconds since 1970. */
      readonly notBefore: number
    }
  /** The same public key under another name or builder: counted once, for `countedAs`. */
  | {
      readonly kind: 'duplicate-key'
      /** Name of the builder, as the policy has it. */
      readonly builder: string
      /** Name of the key, as the signature has it. */
      readonly keyName: string
      /** Name of the builder. */
      readonly countedAs: string
    }
  /** Another key of a builder that has vouched already: counted once. */
  | {
      readonly kind: 'same-builder'
      /** Name of the builder, as the policy has it. */
      readonly builder: string
      /** Name of the key, as the signature has it. */
      readonly keyName: string
    }
  /** A valid signature of a builder that the rule for this path does not count. */
  | {
      readonly kind: 'not-counted'
      /** Name of the builder, as the policy has it. */
      readonly builder: string
    }
  /** The claimed content address gives another path, or none, or is not that of the claimed NAR. */
  | {
      readonly kind: 'content-address-mismatch'
      /** Name of the source whose claim it is about. */
      readonly source: string
      /** The content address that the source claims, as text. */
      readonly claimed: string
      /** The other store path that it gives, where it gives one. */
      readonly gives?: string
    }
  /** The path is the hash of its content by an algorithm for which collisions are made, or that is not supported. */
  | {
      readonly kind: 'weak-content-address'
      /** Name of the source whose claim it is about. */
      readonly source: string
      readonly claimed: string
    }
  /** A source offers another hash than the one that the policy pins. */
  | {
      readonly kind: 'other-than-pinned'
      /** Name of the source whose claim it is about. */
      readonly source: string
      /** SHA-256 of the NAR, 64 lower-case hexadecimal digits. */
      readonly narHash: string
    }

/** The value that is admitted for a path; undefined when none is. */
export function admittedValue({ outcome }: PathVerdict): PathValue | undefined {
  switch (outcome.kind) {
    case 'agreed':
    case 'content-addressed':
    case 'pinned':
      return outcome.value
    default:
      return undefined
  }
}
