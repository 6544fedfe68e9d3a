/** The forms in which `spectrum graph` prints. */
export const graphForms = ['table', 'mermaid', 'json', 'genode-xml', 'genode-hid'] as const

/**
 * How `spectrum graph` prints: a table for people, a drawing for Mermaid, the graph as a file, or Genode's configuration as XML or HID.
 *
 * @useDeclaredType
 */
export type GraphForm = (typeof graphForms)[number]

/**
 * A question about a graph in a file: JSON as `printGraph` writes it, or a JavaScript or TypeScript module
 * that exports a graph by default. Paths are as the person wrote them. `json`: one JSON object instead of
 * text. Nothing is started.
 */
export type GraphCommand =
  /** Who may call what. `as`: `table`, `mermaid`, `json`, `genode-xml` or `genode-hid`. */
  | { readonly kind: 'graph'; readonly file: string; readonly as: GraphForm }
  | {
      readonly kind: 'explain'
      /** The path of the file with the graph. */
      readonly file: string
      /** The name of a unit. */
      readonly from: string
      /** The name of a unit, or `host:NAME` for a function of the host program. */
      readonly to: string
      /** One JSON object instead of text. */
      readonly json: boolean
    }
  /** Who may call the service of this name, whoever provides it. */
  | { readonly kind: 'who-can'; readonly file: string; readonly service: string; readonly json: boolean }
  /** All that the unit of this name may do, and who may call it. */
  | { readonly kind: 'authority'; readonly file: string; readonly unit: string; readonly json: boolean }
  /** What changes in who may do what, from one file's graph to another's. */
  | { readonly kind: 'diff'; readonly before: string; readonly after: string; readonly json: boolean }

/** What follows each of them. */
export const graphWords: Readonly<Record<GraphCommand['kind'], readonly string[]>> = {
  graph: ['FILE'],
  explain: ['FILE', 'FROM', 'TO'],
  'who-can': ['FILE', 'SERVICE'],
  authority: ['FILE', 'UNIT'],
  diff: ['BEFORE', 'AFTER'],
}

export const isGraphVerb = (word: string): word is GraphCommand['kind'] => Object.hasOwn(graphWords, word)
