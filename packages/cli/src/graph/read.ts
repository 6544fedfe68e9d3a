import { type Graph, parseGraph } from '@spectrum/unit-graph'
import type { HostService } from '@spectrum/unit-runtime'
import { err, type Result } from 'neverthrow'
import type { CommandPowers, GraphFile } from '../powers.js'

/** The graph in a file; the error is for people. */
export async function readGraph(
  file: string,
  powers: Pick<CommandPowers, 'readGraph'>,
): Promise<Result<Graph, string>> {
  const found = await powers.readGraph(file)
  if (found.kind === 'unreadable') return err(`${file} cannot be read: ${found.message}`)
  return graphIn(found).mapErr((message) => `${file} holds no graph: ${message}`)
}

/** A graph to be run, with the functions that it is wired to; the error is for people. */
export interface GraphProgram {
  readonly graph: Graph
  readonly services: Readonly<Record<string, HostService>>
}

/** What is in a file: a graph, and, where a program made it, what it exports as `services`. */
export async function readGraphProgram(
  file: string,
  powers: Pick<CommandPowers, 'readGraph'>,
): Promise<Result<GraphProgram, string>> {
  const found = await powers.readGraph(file)
  if (found.kind === 'unreadable') return err(`${file} cannot be read: ${found.message}`)
  const services = found.kind === 'value' ? (found.services ?? {}) : {}
  const entries =
    typeof services === 'object' && services !== null ? Object.entries(services) : [['', undefined]]
  const wrong = entries.find(([, service]) => typeof service !== 'function')
  if (wrong !== undefined)
    return err(`${file} exports services that are no functions by name: ${String(wrong[0]) || 'none at all'}`)
  return graphIn(found)
    .map((graph) => ({ graph, services: Object.fromEntries(entries) as Record<string, HostService> }))
    .mapErr((message) => `${file} holds no graph: ${message}`)
}

// A graph that a program made is read like one in a file: what is answered here is what the file would mean.
function graphIn(found: Exclude<GraphFile, { kind: 'unreadable' }>): Result<Graph, string> {
  const text = found.kind === 'text' ? found.text : textOf(found.value)
  if (text === undefined) return err('export a graph, as compose(…).wire(…) makes it, by default')
  return parseGraph(text).mapErr(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  )
}

function textOf(value: unknown): string | undefined {
  // A composition is a Result; whoever exports it as it is has a graph in it, or a fault.
  const graph = isResult(value) ? (value.isOk() ? value.value : value.error) : value
  try {
    return JSON.stringify(graph)
  } catch {
    // A circle, or a number that JSON does not have.
    return undefined
  }
}

const isResult = (value: unknown): value is Result<unknown, unknown> =>
  typeof value === 'object' && value !== null && 'isOk' in value && typeof value.isOk === 'function'
