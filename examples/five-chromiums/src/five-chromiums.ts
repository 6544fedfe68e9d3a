import {
  closure,
  compose,
  defineUnit,
  type Host,
  type HostError,
  type SharingReport,
  type Unit,
} from '@spectrum/unit-runtime'
import { err, ok, type Result } from 'neverthrow'
import type { Programs } from '../../debian-programs/src/debian-programs.js'
import { drawing, surroundings } from './chromium.js'
import { pageOf } from './page.js'

export const COLOURS = {
  mail: '#1f6f3f',
  bank: '#a51d2d',
  news: '#1c5a9c',
  maps: '#8a5a00',
  chat: '#6b2f8a',
} as const
const NAMES = Object.keys(COLOURS) as (keyof typeof COLOURS)[]

const PAGE = '/tmp/page.html'
const PICTURE = '/tmp/page.png'
const MOST_BYTES = 4 * 2 ** 20
const MINUTE = 60_000

export interface Drawn {
  /** PNG files by unit. They come from the units: their content is what those claim. */
  readonly pictures: ReadonlyMap<string, Uint8Array>
  /** Read while all five machines ran, after each of them had drawn. */
  readonly sharing: SharingReport
}

/** How much the one Chromium costs, and what five would. */
export interface OneCopy {
  /** What the five hold of it, each counted for itself. */
  readonly heldBytes: number
  /** What is in memory. */
  readonly storedBytes: number
  readonly savedBytes: number
  readonly units: readonly string[]
  /** Pages of it that are in memory, and frames of memory that they take: as many, when there is one copy. */
  readonly pages: number | undefined
  readonly frames: number | undefined
}

/** Starts five units with the same closure, and has each draw a page of its own; `atOnce` of them at a time. */
export async function fiveChromiums(
  host: Host,
  chromium: Programs,
  { say, atOnce }: { readonly say: (line: string) => void; readonly atOnce: number },
): Promise<Result<Drawn, FiveError>> {
  const browser = (name: string) =>
    defineUnit(name, { store: closure(chromium.path), memoryBytes: 1024 * 2 ** 20 })
  const graph = compose(Object.fromEntries(NAMES.map((name) => [name, browser(name)])))
  if (graph.isErr()) return err(graph.error)
  const started = await host.start(graph.value, { deadlineMs: 15 * MINUTE })
  if (started.isErr()) return err(started.error)
  say(`five units run, each with ${chromium.path}`)

  const pictures = new Map<string, Uint8Array>()
  const waiting = Object.values(started.value)
  const drawThem = async (): Promise<FiveError | undefined> => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) {
      const began = performance.now()
      const picture = await draw(unit, chromium)
      if (picture.isErr()) return picture.error
      pictures.set(unit.name, picture.value)
      say(`${unit.name} has drawn its page, in ${((performance.now() - began) / 1000).toFixed(0)} s`)
    }
    return undefined
  }
  const failures = await Promise.all(Array.from({ length: atOnce }, drawThem))
  const failure = failures.find((each) => each !== undefined)
  if (failure !== undefined) return err(failure)

  return (await host.sharing()).map((sharing) => ({ pictures, sharing }))
}

/** Puts the unit's page into the unit, has Chromium draw it there, and gets the picture. */
async function draw(unit: Unit, chromium: Programs): Promise<Result<Uint8Array, FiveError>> {
  const page = pageOf(unit.name, COLOURS[unit.name as keyof typeof COLOURS])
  const put = await unit.files.put({ path: PAGE }, new TextEncoder().encode(page))
  if (put.isErr()) return err(put.error)
  const options = { env: surroundings(chromium), cwd: '/tmp', deadlineMs: 20 * MINUTE }
  const ran = await unit.exec(drawing(chromium, PAGE, PICTURE), options)
  if (ran.isErr()) return err(ran.error)
  const { outcome, stderr } = ran.value
  if (outcome.kind !== 'exited' || outcome.code !== 0) {
    const said = new TextDecoder().decode(stderr.subarray(-2000))
    return err({
      kind: 'not-drawn',
      message: `Chromium in ${unit.name}: ${JSON.stringify(outcome)}\n${JSON.stringify(said)}`,
    })
  }
  const file = await unit.files.get({ path: PICTURE, maxBytes: MOST_BYTES })
  if (file.isErr()) return err(file.error)
  const chunks: Uint8Array[] = []
  for await (const chunk of file.value.content) chunks.push(chunk)
  const ended = await file.value.ended
  if (ended.isErr()) return err(ended.error)
  return ok(Buffer.concat(chunks))
}

/** What the kernel says of the blob in which Chromium lies. */
export function oneCopyOf({ path }: Programs, sharing: SharingReport): OneCopy | undefined {
  const blob = sharing.blobs.find(({ storePaths }) => storePaths.includes(path))
  if (blob === undefined) return undefined
  return {
    heldBytes: blob.rssBytes,
    storedBytes: blob.pssBytes,
    savedBytes: blob.savedBytes,
    units: blob.units,
    pages: blob.frames?.filePages,
    frames: blob.frames?.frames,
  }
}

export type FiveError = HostError | { readonly kind: string; readonly message: string }
