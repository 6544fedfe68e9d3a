import type { CompiledInterface } from '../protocol/compile.js'
import type { ProtocolTable } from '../protocol/table.js'
import type { Hooks } from '../relay/hooks.js'
import { decideGlobal } from './globals.js'
import { policyHooks } from './hooks.js'
import { ALLOWED, ANSWERED, OPT_IN } from './lists.js'
import type { Policy } from './policy.js'

/** What happens to a message or an interface, and why. */
export interface Explanation {
  /**
   * `passed`: validated against the protocol and passed on. `judged`: rules of the policy look at its values,
   * too. `answered`: by the proxy, in the compositor's place. `hidden`: no client gets to it. `unknown`: in
   * no table, and so denied.
   */
  readonly outcome: 'passed' | 'judged' | 'answered' | 'hidden' | 'unknown'
  /** One sentence each, the deciding one first. */
  readonly why: readonly string[]
}

/**
 * Says what a policy makes of an interface (`wl_output`) or a message (`wl_shm.create_pool`): through which global
 * a client gets to it, and which rules look at it.
 *
 * @example
 * ```ts
 * import { DEFAULT_POLICY, explain, extendedTable } from '@spectrum/wayland-proxy'
 *
 * const table = extendedTable()._unsafeUnwrap()
 * const { outcome, why } = explain(DEFAULT_POLICY, table, 'zwlr_screencopy_manager_v1')
 * console.log(outcome, why) // hidden, and one sentence for each reason
 * ```
 */
export function explain(policy: Policy, table: ProtocolTable, name: string): Explanation {
  const [interfaceName = '', messageName] = name.split('.')
  const type = table.find(interfaceName)
  if (type === undefined) {
    return { outcome: 'unknown', why: [`${interfaceName} is in no table, so it is denied`] }
  }
  const messages = [...type.requests, ...type.events]
  const message = messageName === undefined ? undefined : messages.find((one) => one.name === messageName)
  if (messageName !== undefined && message === undefined) {
    return { outcome: 'unknown', why: [`${interfaceName} has no message ${messageName}`] }
  }
  if (interfaceName === 'wl_display' || interfaceName === 'wl_registry') {
    return { outcome: 'answered', why: ['the proxy keeps the registries and the ids of each client itself'] }
  }
  const ways = globalsLeadingTo(type, table)
  const decisions = ways.map((way) => ({ way, decision: decideGlobal(policy, table, way) }))
  const open = decisions.filter(({ decision }) => decision.kind !== 'hide')
  if (open.length === 0) {
    const why = decisions.map(({ way, decision }) => `${way}: ${decision.why}`)
    return { outcome: 'hidden', why: why.length > 0 ? why : ['no global leads to it'] }
  }
  const why = open.map(({ way, decision }) => {
    const most = decision.kind === 'hide' ? 0 : decision.version
    return `${way}, up to version ${most}: ${decision.why}`
  })
  if (open.every(({ decision }) => decision.kind === 'answer')) return { outcome: 'answered', why }
  const judges = message === undefined ? 0 : judgesOf(message.fullName)
  if (judges === 0)
    return { outcome: 'passed', why: [...why, 'validated against the protocol and passed on'] }
  const rules = `${judges} ${judges === 1 ? 'rule looks' : 'rules look'} at its values`
  return { outcome: 'judged', why: [...why, rules] }
}

function judgesOf(name: string): number {
  const has = (part: Hooks) =>
    [part.requests, part.events, part.numericRequests, part.numericEvents].some(
      (kind) => kind !== undefined && name in kind,
    )
  return policyHooks.filter(has).length
}

/** Those globals from which an object of the interface can be made. */
function globalsLeadingTo(type: CompiledInterface, table: ProtocolTable): readonly string[] {
  const known = new Set([
    ...Object.keys(ALLOWED),
    ...Object.keys(ANSWERED),
    ...Object.keys(OPT_IN),
    type.name,
  ])
  const leads = (from: CompiledInterface, seen: Set<CompiledInterface>): boolean => {
    if (from === type) return true
    if (seen.has(from)) return false
    seen.add(from)
    return [...from.requests, ...from.events].some(({ signature, targets }) =>
      signature.arguments.some(
        (argument, index) =>
          argument.type.kind === 'new-id' && targets[index] !== undefined && leads(targets[index], seen),
      ),
    )
  }
  const creators = [...known].filter((name) => {
    const from = table.find(name)
    return from !== undefined && name !== type.name && leads(from, new Set())
  })
  // What is made by others is no global itself.
  return creators.length > 0 ? creators : [type.name]
}
