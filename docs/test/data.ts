import { parsePolicy as parseTrust } from '@spectrum/store-share'
import { parseGraph } from '@spectrum/unit-graph'
import { readPolicy as readWayland } from '@spectrum/wayland-proxy'
import type { Block } from './blocks.js'

type Check = (value: unknown, text: string) => string | undefined

/** What the second word after a fence of JSON names: the code that reads such a file. */
const readers: Readonly<Record<string, Check>> = {
  'trust-policy': (_, text) =>
    parseTrust(text).match(
      () => undefined,
      (error) => error.message,
    ),
  'wayland-policy': (value) =>
    readWayland(value).match(
      () => undefined,
      (error) => error.message,
    ),
  graph: (_, text) =>
    parseGraph(text).match(
      () => undefined,
      (error) => error.message,
    ),
}

/** What is wrong with a block of JSON, or nothing. */
export function problemOfJson(block: Block): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(block.text)
  } catch (error) {
    return (error as Error).message
  }
  if (block.kind === '') return undefined
  const reader = Object.hasOwn(readers, block.kind) ? readers[block.kind] : undefined
  return reader === undefined
    ? `"${block.kind}" is read by nothing: ${Object.keys(readers).join(', ')}`
    : reader(value, block.text)
}
