export { compose, type Graph, startOrder, type UnitMap } from './compose.js'
export type { GraphError } from './errors.js'
export { type ClosureReference, closure } from './store.js'
export { defineUnit, type UnitDefinition, type UnitOptions } from './unit.js'
