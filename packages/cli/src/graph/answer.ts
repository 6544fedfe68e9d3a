import {
  Authority,
  authorityOf,
  type Change,
  conditionOf,
  diff,
  type Edge,
  explain,
  type Graph,
  genodeOf,
  mermaidOf,
  printGraph,
  printHid,
  printXml,
  tableOf,
  type UnitAuthority,
  whoCan,
} from '@spectrum/unit-graph'
import { err, ok, type Result } from 'neverthrow'
import { escapeLines } from '../escape.js'
import type { CommandPowers } from '../powers.js'
import type { GraphCommand } from './command.js'
import { readGraph } from './read.js'

type AnswerPowers = Pick<CommandPowers, 'stdout' | 'stderr' | 'readGraph' | 'timeOfDay'>

/** What to print, and whether it is a yes. The error is for people. */
type Answer = Result<{ readonly text: string; readonly yes: boolean }, string>

/** Answers a question about a graph. Resolves with the exit status: 0 yes, 1 no, 2 no answer. */
export async function answer(command: GraphCommand, powers: AnswerPowers): Promise<number> {
  const found = await answerTo(command, powers)
  if (found.isErr()) {
    await powers.stderr.write(`spectrum: ${escapeLines(found.error)}\n`)
    return 2
  }
  await powers.stdout.write(found.value.text)
  return found.value.yes ? 0 : 1
}

async function answerTo(command: GraphCommand, powers: AnswerPowers): Promise<Answer> {
  if (command.kind === 'diff') {
    const before = await readGraph(command.before, powers)
    if (before.isErr()) return err(before.error)
    return (await readGraph(command.after, powers)).map((after) => {
      const changes = diff(before.value, after)
      const text = command.json ? jsonOf({ changes }) : changes.map(lineOf).join('')
      return { text, yes: changes.length === 0 }
    })
  }
  const graph = await readGraph(command.file, powers)
  return graph.andThen((value) => answerAbout(value, command, powers.timeOfDay()))
}

function answerAbout(graph: Graph, command: Exclude<GraphCommand, { kind: 'diff' }>, now: number): Answer {
  const authority = new Authority(graph)
  switch (command.kind) {
    case 'graph':
      return ok({ text: printed(authority, command.as, now), yes: true })
    case 'explain': {
      const { from, to, json } = command
      const missing = [from, to].find((key) => !key.startsWith('host:') && !hasUnit(graph, key))
      if (missing !== undefined) return err(noUnit(graph, missing))
      const explanation = explain(authority, from, to, now)
      const { direct, chain } = explanation
      const yes = direct.length > 0 || chain.length > 0
      const how = direct.length > 0 ? tableOf(direct) : `Not directly, but by a chain:\n${tableOf(chain)}`
      return ok({ text: json ? jsonOf(explanation) : yes ? how : 'Nothing leads there.\n', yes })
    }
    case 'who-can': {
      const callers = whoCan(authority, command.service, now)
      const text = callers.length > 0 ? tableOf(callers) : 'Nobody may.\n'
      return ok({ text: command.json ? jsonOf({ callers }) : text, yes: callers.length > 0 })
    }
    case 'authority': {
      const found = authorityOf(authority, command.unit, now)
      if (found === undefined) return err(noUnit(graph, command.unit))
      return ok({ text: command.json ? jsonOf(found) : wordsOf(found), yes: true })
    }
  }
}

function printed(
  authority: Authority,
  as: Extract<GraphCommand, { kind: 'graph' }>['as'],
  now: number,
): string {
  const { graph } = authority
  switch (as) {
    case 'table':
      return tableOf(Object.keys(graph.units).flatMap((unit) => authorityOf(authority, unit, now)!.calls))
    case 'mermaid':
      return mermaidOf(graph)
    case 'json':
      return `${printGraph(graph)}\n`
    case 'genode-xml':
      return printXml(genodeOf(graph))
    case 'genode-hid':
      return printHid(genodeOf(graph))
  }
}

function wordsOf({ unit, store, calls, absent, serves, reaches }: UnitAuthority): string {
  const listed = (names: readonly string[]) => (names.length === 0 ? 'nothing' : names.join(', '))
  const parts = [
    `${unit} sees ${listed(store)}, with what that references.`,
    calls.length === 0 ? 'It may call nobody.' : `It may call:\n${tableOf(calls).trimEnd()}`,
    ...(absent.length === 0 ? [] : [`Wired to nothing on purpose: ${listed(absent)}.`]),
    serves.length === 0 ? 'Nobody may call it.' : `It may be called by:\n${tableOf(serves).trimEnd()}`,
    `Through others it can reach: ${listed(reaches)}.`,
  ]
  return `${escapeLines(parts.join('\n\n'))}\n`
}

const signs = { more: '+', less: '-', other: '~' } as const

function lineOf(change: Change): string {
  return `${signs[change.grants]} ${escapeLines(changeInWords(change))}\n`
}

function changeInWords(change: Change): string {
  switch (change.kind) {
    case 'unit-added':
      return `unit ${change.unit}`
    case 'unit-removed':
      return `unit ${change.unit}`
    case 'unit-changed':
      return `unit ${change.unit}: its ${change.field} changed`
    case 'edge-added':
    case 'edge-removed':
      return `${callerOf(change.edge)} calls ${callOf(change.edge)}`
    case 'edge-changed':
      return `${callerOf(change.after)} calls ${callOf(change.after)}, before: ${callOf(change.before)}`
  }
}

const callerOf = ({ unit, need }: Edge): string => `${unit}.${need}`

function callOf({ to, attenuators, strength }: Edge): string {
  const provider = to.kind === 'unit' ? `${to.unit}.${to.provision}` : `host:${to.name}`
  const conditions = [...(strength === 'weak' ? ['weak'] : []), ...attenuators.map(conditionOf)]
  return conditions.length === 0 ? provider : `${provider} (${conditions.join('; ')})`
}

const jsonOf = (value: unknown): string => `${JSON.stringify(value)}\n`

const hasUnit = (graph: Graph, key: string): boolean => Object.hasOwn(graph.units, key)

const noUnit = (graph: Graph, key: string): string =>
  `there is no unit "${key}"; there are: ${Object.keys(graph.units).join(', ')}`
