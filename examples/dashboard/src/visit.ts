import { err, ok, type Result } from 'neverthrow'
import { readEvents } from '../page/event-stream.js'
import type { Snapshot } from './board/snapshot.js'
import type { VisitError } from './run.js'

const VISIT_MS = 300_000

/**
 * Visits the page as a browser does, without one: takes the token out of the address, and listens until every unit that
 * was started runs.
 */
export async function visitOnce(
  address: string,
  { say, signal }: { readonly say: (line: string) => void; readonly signal: AbortSignal },
): Promise<Result<void, VisitError>> {
  const { origin, hash } = new URL(address)
  const headers = { authorization: `Bearer ${hash.replace('#token=', '')}` }
  const over = AbortSignal.any([signal, AbortSignal.timeout(VISIT_MS)])
  try {
    const page = await fetch(`${origin}/`, { signal: over })
    say(`page      ${page.status}, ${(await page.text()).length} characters`)
    const answer = await fetch(`${origin}/api/events`, { headers, signal: over })
    if (!answer.ok || answer.body === null) return failed(`it answered ${answer.status}`)
    for await (const { event, data } of readEvents(answer.body)) {
      if (event !== 'state') continue
      const { units, edges, notices } = JSON.parse(data) as Snapshot
      const failure = notices.find(({ state }) => state === 'failed')
      if (failure !== undefined) return failed(`unit ${failure.unit}: ${failure.text}`)
      if (notices.some(({ state }) => state === 'under-way')) continue
      for (const { name, state, paths } of units) say(`unit      ${name}: ${state}, ${paths} store paths`)
      for (const { unit, need, provider } of edges)
        say(`edge      ${unit}.${need} goes to ${provider?.name ?? 'nothing'}`)
      return ok(undefined)
    }
    return failed('it ended before the units ran')
  } catch (cause) {
    return failed(over.aborted ? 'the units did not run in time' : String(cause))
  }
}

function failed(what: string): Result<never, VisitError> {
  return err({ kind: 'not-as-expected', message: `The page was visited, but ${what}.` })
}
