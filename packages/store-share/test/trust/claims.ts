import { Buffer } from 'node:buffer'
import {
  type Builder,
  type Claim,
  type NixPathInfo,
  type PinnedKey,
  SecretKey,
  type SignedPathInfo,
  type TrustPolicy,
} from '../../src/index.js'

export const NOW = Date.UTC(2026, 10, 22)

/** A key that is the same in every run. */
export function keyOf(name: string, seed = name): SecretKey {
  return new SecretKey(name, Buffer.alloc(32, seed))
}

export function builder(
  name: string,
  keys: readonly SecretKey[] = [keyOf(`${name}-1`)],
  times: Partial<PinnedKey> = {},
): Builder {
  return { name, keys: keys.map(({ publicKey }) => ({ publicKey, ...times })) }
}

export function pathOf(name: string): string {
  return `/nix/store/${'0'.repeat(31)}a-${name}`
}

export function facts(name: string, change: Partial<SignedPathInfo> = {}): SignedPathInfo {
  return {
    path: pathOf(name),
    narHash: 'ab'.repeat(32),
    narSize: 680,
    references: [],
    selfReference: false,
    ...change,
  }
}

/** What a source says, signed by these keys. */
export function claim(
  source: string,
  info: SignedPathInfo,
  keys: readonly (string | SecretKey)[],
  more: Partial<NixPathInfo> = {},
): Claim {
  const signatures = keys.map((key) => (typeof key === 'string' ? keyOf(key) : key).sign(info))
  return { source, info: { ...info, signatures, ...more } }
}

export function policy(change: Partial<TrustPolicy> = {}): TrustPolicy {
  return {
    builders: [builder('alpha'), builder('beta'), builder('gamma')],
    need: 2,
    contentAddressed: 'k-of-n',
    ...change,
  }
}
