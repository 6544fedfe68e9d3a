/** The forms in which `spectrum graph` prints. */
export const graphForms = ['table', 'mermaid', 'json', 'genode-xml', 'genode-hid'] as const

/** A question about a graph in a file. Nothing is started. */
export type GraphCommand =
  | { readonly kind: 'graph'; readonly file: string; readonly as: (typeof graphForms)[number] }
  | {
      readonly kind: 'explain'
      readonly file: string
      readonly from: string
      readonly to: string
      readonly json: boolean
    }
  | { readonly kind: 'who-can'; readonly file: string; readonly service: string; readonly json: boolean }
  | { readonly kind: 'authority'; readonly file: string; readonly unit: string; readonly json: boolean }
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
