import { err, ok, type Result } from 'neverthrow'
import type { AgentOptions, GuestCall } from '../agent.js'
import type { AgentError } from '../errors.js'
import { printable } from '../escape.js'
import { limits } from '../frames.js'
import { failureOf, offerFrames } from '../requests.js'
import type { HostStreams } from '../streams.js'
import type { Outstanding } from './outstanding.js'

/** Offers services to the programs of the unit: all names or none. */
export async function offerServices(
  outstanding: Outstanding,
  streams: HostStreams,
  names: readonly string[],
  onCall: (call: GuestCall) => void,
  options: AgentOptions,
): Promise<Result<void, AgentError>> {
  const wrong = faultOfNames(names, streams.offered)
  if (wrong !== undefined) return err(wrong)
  return outstanding.ask<void>({
    what: 'offering services to the unit',
    options,
    answers: ['offered', 'failed'],
    frames: (id) => {
      const built = offerFrames(names, id)
      // Programs may call before the answer is here.
      if (!('kind' in built)) streams.expect(names, onCall)
      return built
    },
    read: (frame) => {
      if (frame.type !== 'failed') return ok(undefined)
      streams.forget(names)
      return err(failureOf(frame))
    },
  })
}

function faultOfNames(names: readonly string[], offered: ReadonlySet<string>): AgentError | undefined {
  const twice = names.find((name, index) => names.indexOf(name) !== index || offered.has(name))
  const tooMany = names.length + offered.size > limits.services
  if (twice === undefined && !tooMany) return undefined
  const message = tooMany
    ? `a unit has at most ${limits.services} services`
    : `${JSON.stringify(printable(twice ?? '', 80))} is offered already`
  return { kind: 'invalid-request', field: 'names', message }
}
