import {
  closure,
  compose,
  defineUnit,
  type Host,
  type HostError,
  nixStore,
  openHost,
  type Unit,
} from '@spectrum/unit-runtime'
import { err, ok, type Result, safeTry } from 'neverthrow'
import { chooseClosures, type DemoClosures, type DemoError } from './closures.js'
import type { DemoOptions } from './options.js'
import type { DemoReport, UnitReport } from './report.js'
import { baseName, leftoverWords, outcomeWords, sharingTable, terminalText } from './words.js'

const FIRST_LINE_MS = 60_000

export interface DemoPowers {
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

type Shown = Omit<DemoReport, 'leftovers' | 'seconds' | 'monitor' | 'accelerator' | 'why'>

/** The whole main job. Whatever happens in the middle, the host is stopped and looked at afterwards. */
export async function runDemo(
  options: DemoOptions,
  powers: DemoPowers,
): Promise<Result<DemoReport, HostError | DemoError>> {
  const began = performance.now()
  const { say, signal } = powers
  const opened = await openHost({ store: nixStore(), injection: true, signal })
  if (opened.isErr()) return err(opened.error)
  await using host = opened.value
  const { kind: monitor, accelerator, why } = host.monitor
  say(`monitor      ${monitor}, accelerator ${accelerator}: ${why}`)
  for (const dead of host.reconciled) say(`reconciled   what host ${dead.host} left behind`)

  const shown = await show(host, options, powers)
  const stopped = await host.stop()
  const leftovers = await host.leftovers()
  if (shown.isErr()) return err(shown.error)
  if (stopped.isErr()) return err(stopped.error)
  if (leftovers.isErr()) return err(leftovers.error)
  const seconds = Math.round((performance.now() - began) / 100) / 10
  say(`\nstopped both; left over: ${leftoverWords(leftovers.value)}`)
  say(`took         ${seconds} s`)
  return ok({ monitor, accelerator, why, ...shown.value, leftovers: leftovers.value, seconds })
}

function show(
  host: Host,
  options: DemoOptions,
  powers: DemoPowers,
): Promise<Result<Shown, HostError | DemoError>> {
  const { say, signal } = powers
  const body = safeTry<Shown, HostError | DemoError>(async function* () {
    const chosen = yield* await chooseClosures(options, signal)
    say(`\nclosures     left      ${chosen.left.root}`)
    say(`             right     ${chosen.right.root}`)

    const graph = compose({
      left: defineUnit('left', { store: closure(chosen.left.root) }),
      right: defineUnit('right', { store: closure(chosen.right.root) }),
    })._unsafeUnwrap() // Both definitions are written above: only a mistake in this file can make it fail.
    const { left, right } = yield* await host.start(graph, { signal })

    const units = [
      yield* await showUnit(left, chosen.left.argv, powers),
      yield* await showUnit(right, chosen.right.argv, powers),
    ]

    const sharing = yield* await host.sharing({ signal })
    say('\nshared, as the kernel counts it')
    for (const row of sharingTable(sharing)) say(`             ${row}`)

    const injected = yield* await showInjection({ left, right }, chosen, powers)
    return ok({ units, sharing, injected })
  })
  return Promise.resolve(body)
}

/** Runs the unit's command, and compares what its `/nix/store` lists with what it was granted. */
async function showUnit(
  unit: Unit,
  argv: readonly string[],
  { say, signal }: DemoPowers,
): Promise<Result<UnitReport, HostError | DemoError>> {
  const run = await unit.exec(argv, { signal })
  if (run.isErr()) return err(run.error)
  const listing = await unit.storeListing({ signal })
  if (listing.isErr()) return err(listing.error)

  const granted = unit.closure.paths.map((info) => info.path)
  const { outcome, stdout, stderr } = run.value
  say(`\nunit ${unit.name}`)
  say(`  ran        ${argv.map((word) => JSON.stringify(word)).join(' ')}`)
  for (const line of terminalText(stdout).split('\n').slice(0, -1)) say(`  stdout     ${line}`)
  for (const line of terminalText(stderr).split('\n').slice(0, -1)) say(`  stderr     ${line}`)
  say(`  outcome    ${outcomeWords(outcome)}`)
  for (const name of listing.value) say(`  /nix/store ${name}`)
  if (granted.map(baseName).sort().join() !== [...listing.value].sort().join()) {
    return err({
      kind: 'wrong-listing',
      message: `Unit ${unit.name} does not list exactly its closure. It was granted:\n${granted.join('\n')}`,
    })
  }
  say(`             exactly the ${granted.length} paths of its closure`)
  const text = new TextDecoder().decode(stdout)
  return ok({
    name: unit.name,
    closure: granted,
    storeListing: listing.value,
    exec: { argv, outcome, stdout: text },
  })
}

/** Starts a program in `left`, injects a debugger, and lets it look at that program. */
async function showInjection(
  { left, right }: { readonly left: Unit; readonly right: Unit },
  chosen: DemoClosures,
  { say, signal }: DemoPowers,
): Promise<Result<Shown['injected'], HostError | DemoError>> {
  const body = safeTry<Shown['injected'], HostError | DemoError>(async function* () {
    const { debugger: tool, patient } = chosen
    let pid = '1'
    if (patient !== undefined) {
      const counting = yield* await left.spawn(patient, { signal })
      pid = /\d+/.exec(await firstLine(counting.stdout, AbortSignal.timeout(FIRST_LINE_MS)))?.[0] ?? pid
    }
    const report = yield* await left.inject(closure(tool.root), { signal })
    const look = yield* await left.exec([...tool.argv, pid], { signal })
    const denied = yield* await right.exec([...tool.argv, pid], { signal })

    say(`\ninjected     ${tool.root} into left in ${report.ms.toFixed(0)} ms (${report.devices} devices)`)
    for (const line of terminalText(look.stdout).split('\n').slice(0, -1)) say(`  left       ${line}`)
    for (const line of terminalText(look.stderr).split('\n').slice(0, -1)) say(`  left       ${line}`)
    say(`  left       ${outcomeWords(look.outcome)}`)
    say(`  right      ${outcomeWords(denied.outcome)}`)

    const visibleIn: string[] = []
    for (const unit of [left, right]) {
      const names = yield* await unit.storeListing({ signal })
      if (names.includes(baseName(tool.root))) visibleIn.push(unit.name)
    }
    say(`  visible in ${visibleIn.join(', ')} only`)
    if (visibleIn.join() !== 'left' || denied.outcome.kind !== 'not-started') {
      return err<never, DemoError>({
        kind: 'wrong-listing',
        message: `${tool.root} should be visible in left alone; it is in: ${visibleIn.join(', ') || 'neither'}.`,
      })
    }
    return ok({ path: tool.root, ms: Math.round(report.ms * 10) / 10, visibleIn })
  })
  return Promise.resolve(body)
}

/** What a program says first; what it has said so far, if that takes it too long. */
async function firstLine(stream: AsyncIterable<Uint8Array>, late: AbortSignal): Promise<string> {
  const chunks = stream[Symbol.asyncIterator]()
  const waited = new Promise<undefined>((resolve) => {
    late.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  let text = ''
  while (!text.includes('\n') && text.length <= 4096) {
    const next = await Promise.race([chunks.next(), waited])
    if (next === undefined || next.done) break
    text += new TextDecoder().decode(next.value)
  }
  // Gives up the rest, which the program may go on to print: unread, it would hold the program up.
  void chunks.return?.()
  return text.split('\n')[0] ?? ''
}
