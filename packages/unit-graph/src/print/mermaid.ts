import { conditionOf } from '../attenuator/attenuator.js'
import type { Graph } from '../compose.js'
import { edgesOf } from '../engine/edge.js'

/** The graph as a Mermaid flowchart: consumers point to providers, weak wires are dotted, host functions round. */
export function mermaidOf(graph: Graph): string {
  const names = new Map<string, string>()
  const nodeOf = (key: string) => {
    const known = names.get(key) ?? `n${names.size}`
    names.set(key, known)
    return known
  }
  const units = Object.entries(graph.units).map(([key, { name }]) => `  ${nodeOf(key)}["${quoted(name)}"]`)
  const hosts = new Set<string>()
  const arrows = edgesOf(graph).map(({ unit, need, to, attenuators, strength }) => {
    if (to.kind === 'host') hosts.add(to.name)
    const end = to.kind === 'host' ? nodeOf(`host:${to.name}`) : nodeOf(to.unit)
    const label = [need, ...attenuators.map(conditionOf)].map(quoted).join('<br/>')
    return `  ${nodeOf(unit)} ${strength === 'weak' ? '-.->' : '-->'}|"${label}"| ${end}`
  })
  const functions = [...hosts].map((name) => `  ${nodeOf(`host:${name}`)}(["host: ${quoted(name)}"])`)
  return `${['flowchart LR', ...units, ...functions, ...arrows].join('\n')}\n`
}

/** Mermaid reads entities inside quotes, and `#` begins one (mermaid.js.org, "Entity codes to escape characters"). */
function quoted(text: string): string {
  return text.replace(/[^A-Za-z0-9 .,:_-]/gu, (character) => `#${character.codePointAt(0)};`)
}
