export {
  type Attenuator,
  ask,
  audit,
  conditionOf,
  once,
  only,
  type RatePeriod,
  rate,
  readOnly,
  revocable,
  until,
} from './attenuator/attenuator.js'
export {
  any,
  atMost,
  equal,
  every,
  field,
  not,
  oneOf,
  type Predicate,
  startingWith,
} from './attenuator/predicate.js'
export {
  type Composition,
  compose,
  type Graph,
  type KeysWithNeeds,
  type NoExcess,
  type UnitMap,
  type Wirable,
  type WireFor,
  type Wiring,
} from './compose.js'
export { Authority, type Call, type Decision } from './engine/authority.js'
export { type Edge, edgesOf } from './engine/edge.js'
export type { Circumstances, EdgeHistory, Judgement, Outcome, Reason } from './engine/judge.js'
export type { GraphError, GraphFault } from './errors.js'
export { type Absent, absent, fromHost, Grant, Provision, type Source } from './grant.js'
export { graphJsonSchema, type Json } from './json-schema.js'
export { startOrder } from './order.js'
export { parseGraph, printGraph } from './parse.js'
export { type GenodeNode, genodeOf, printHid, printXml } from './print/genode.js'
export { mermaidOf } from './print/mermaid.js'
export { tableOf } from './print/table.js'
export { type Change, diff } from './question/diff.js'
export { authorityOf, type Explanation, explain, type UnitAuthority, whoCan } from './question/questions.js'
export type { EdgeView } from './question/view.js'
export {
  type ArgumentOf,
  type ArgumentSchema,
  bytes,
  choice,
  integer,
  none,
  record,
  type StreamSchema,
  text,
} from './service/schema.js'
export {
  type AnyService,
  defineService,
  type Offer,
  type OptionalNeed,
  type Provider,
  Service,
  type ServiceOptions,
} from './service/service.js'
export { type ClosureReference, closure } from './store.js'
export {
  defineUnit,
  type NeedDefinition,
  type Needs,
  type NeedsOf,
  type Offers,
  type ProvisionsOf,
  type ResourceLimits,
  type RestartPolicy,
  type UnitDefinition,
  type UnitOptions,
  type VolumeDefinition,
} from './unit.js'
export type { Wire, WireEnd } from './wire.js'
