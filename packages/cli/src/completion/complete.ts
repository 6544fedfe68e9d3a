import type { CommandPowers } from '../powers.js'
import { type Grammar, grammar, type Place } from './grammar.js'

type CompletePowers = Pick<CommandPowers, 'stdout' | 'hosts' | 'clock'>

/** How long a host is waited for: somebody sits before the line. */
const patienceMs = 1_500

/** Prints how the last of the words may go on. Never complains: there is a half-typed line on the terminal. */
export async function complete(words: readonly string[], powers: CompletePowers): Promise<number> {
  const lines = await candidates(words, powers)
  await powers.stdout.write(lines.map((line) => `${line}\n`).join(''))
  return 0
}

async function candidates(words: readonly string[], powers: CompletePowers): Promise<readonly string[]> {
  const current = words.at(-1) ?? ''
  const [verb = '', ...before] = words.slice(0, -1)
  if (words.length <= 1) return starting(current, [...verbs(), '--help', '--version'])
  if (!Object.hasOwn(grammar, verb)) return []
  const { options, places, more } = grammar[verb as keyof typeof grammar]
  // What follows is the unit's.
  if (before.includes('--')) return []
  const option = before.at(-1)
  if (option?.startsWith('-') === true && options[option] !== undefined)
    return inPlace(options[option], current, before, powers)
  if (current.startsWith('-')) return starting(current, Object.keys(options))
  const place = places[placesBefore(before, options)] ?? more
  const fit = place === undefined ? [] : await inPlace(place, current, before, powers)
  return current === '' && place === undefined ? Object.keys(options) : fit
}

const verbs = (): readonly string[] => Object.entries(grammar).map(([verb, { about }]) => `${verb}\t${about}`)

/** How many words before the last are not options, nor what they take. */
function placesBefore(before: readonly string[], options: Grammar['options']): number {
  return before.filter(
    (word, at) => !word.startsWith('-') && (at === 0 || options[before[at - 1] ?? ''] === undefined),
  ).length
}

async function inPlace(
  place: Place,
  current: string,
  before: readonly string[],
  powers: CompletePowers,
): Promise<readonly string[]> {
  if (typeof place !== 'string') return starting(current, place)
  switch (place) {
    case 'file':
      return [':files']
    case 'anything':
      return []
    case 'host':
      return starting(
        current,
        (await powers.hosts.find()).map(({ name, pid }) => `${name}\tprocess ${pid}`),
      )
    case 'unit':
      return starting(current, await unitsOf(before, powers))
  }
}

/** The units of the host that is named, or of all. */
async function unitsOf(before: readonly string[], powers: CompletePowers): Promise<readonly string[]> {
  using patience = powers.clock.deadline(patienceMs)
  const at = before.indexOf('--host')
  const named = at < 0 ? undefined : before[at + 1]
  const running = (await powers.hosts.find()).filter(
    ({ name, pid }) => named === undefined || named === name || named === String(pid),
  )
  const lists = await Promise.all(
    running.map(async ({ socket }) => {
      const connected = await powers.hosts.connect(socket, patience.signal)
      if (connected.isErr()) return []
      await using client = connected.value
      return (await client.list({ signal: patience.signal })).unwrapOr([])
    }),
  )
  return lists.flat().map(({ name, state }) => `${name}\t${state}`)
}

// What has no printable name cannot be typed, and could command the terminal.
const starting = (current: string, among: readonly string[]): readonly string[] =>
  among.filter((candidate) => candidate.startsWith(current) && /^[ -~]+(\t[ -~]+)?$/.test(candidate))
