import type { ProtocolTable } from '../protocol/table.js'
import { ALLOWED, ANSWERED, DELAYING, NEVER, OPT_IN } from './lists.js'
import type { Policy } from './policy.js'
import type { WarningCode } from './warnings.js'

/** What becomes of a global that the compositor offers. */
export type GlobalDecision =
  /** Passed on, up to this version. */
  | { readonly kind: 'relay'; readonly version: number; readonly why: string }
  /** The proxy answers in its place, whether the compositor has it or not. */
  | { readonly kind: 'answer'; readonly version: number; readonly why: string }
  | { readonly kind: 'hide'; readonly code: WarningCode; readonly why: string }

/** Looks an interface up: first what nobody may have, then the policy, then the lists. */
export function decideGlobal(policy: Policy, table: ProtocolTable, name: string): GlobalDecision {
  const known = table.find(name)
  const never = Object.hasOwn(NEVER, name) ? NEVER[name] : undefined
  if (never !== undefined) return { kind: 'hide', code: 'W-GLOBAL-NEVER', why: `never offered: ${never}` }
  if (known === undefined) {
    return { kind: 'hide', code: 'W-GLOBAL-UNKNOWN', why: 'no table says what its messages look like' }
  }
  const rule = Object.hasOwn(policy.globals, name) ? policy.globals[name] : undefined
  if (rule === 'deny') return { kind: 'hide', code: 'W-GLOBAL-DENIED', why: 'the policy denies it' }
  const answered = Object.hasOwn(ANSWERED, name) ? ANSWERED[name] : undefined
  if (answered !== undefined) {
    const setting = answered.passedOnBy as 'decoration' | 'idleInhibit' | 'activation' | 'bell' | undefined
    const version = Math.min(answered.version, known.version, cap(rule))
    if (setting !== undefined && policy[setting] === 'allow') {
      return { kind: 'relay', version, why: `${setting} is allowed` }
    }
    return { kind: 'answer', version, why: 'answered by the proxy' }
  }
  const reviewed = Object.hasOwn(ALLOWED, name) ? ALLOWED[name] : undefined
  const framed = policy.identity.frame !== 'none'
  const delaying = framed && rule === undefined && Object.hasOwn(DELAYING, name) ? DELAYING[name] : undefined
  if (delaying !== undefined) {
    const why = `only where the policy allows it, because windows have frames: it ${delaying}`
    return { kind: 'hide', code: 'W-GLOBAL-OPT-IN', why }
  }
  if (reviewed !== undefined) {
    return { kind: 'relay', version: Math.min(reviewed, known.version, cap(rule)), why: 'allowed by default' }
  }
  if (rule !== undefined) {
    const most = Object.hasOwn(OPT_IN, name) ? OPT_IN[name]!.version : known.version
    return { kind: 'relay', version: Math.min(most, known.version, cap(rule)), why: 'the policy allows it' }
  }
  const cost = Object.hasOwn(OPT_IN, name) ? OPT_IN[name]!.why : 'it is on no list'
  return { kind: 'hide', code: 'W-GLOBAL-OPT-IN', why: `only where the policy allows it: ${cost}` }
}

function cap(rule: Policy['globals'][string] | undefined): number {
  return typeof rule === 'object' ? rule.version : Number.POSITIVE_INFINITY
}
