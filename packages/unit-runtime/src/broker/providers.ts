import type { ExecOutcome } from '@spectrum/guest-agent'
import { escapeAndCut } from '@spectrum/unit-monitor'
import { wordsOfThrown } from '../thrown.js'
import { orAborted } from '../wait.js'
import type { CallEnd } from './events.js'
import type { Exchange } from './exchange.js'
import type { CallAgent, HostCall, HostService } from './powers.js'

/** What a provider is told about a call, all of it decided by the host. */
export interface CallFacts {
  /** The calling unit's name. */
  readonly caller: string
  readonly service: string
  /** Absent where the service takes none. */
  readonly argument: { readonly value: unknown } | undefined
}

/** Carries one call to one provider. Resolves when nothing of it is left there. */
export type Carry = (exchange: Exchange, facts: CallFacts) => Promise<CallEnd>

/** A command of the provider's unit: standard input is the request, standard output the answer. */
export const toCommand =
  (agent: CallAgent, argv: readonly string[]): Carry =>
  async (exchange, { caller, service, argument }) => {
    const env = {
      SPECTRUM_CALLER: caller,
      SPECTRUM_SERVICE: service,
      ...(argument === undefined ? {} : { SPECTRUM_ARGUMENT: JSON.stringify(argument.value ?? null) }),
    }
    const stdin = exchange.hasRequest ? 'open' : 'closed'
    const started = await agent.exec({ argv, env, stdin }, { signal: exchange.signal })
    if (started.isErr()) return failed(exchange, started.error.message)
    const process = started.value
    // What it complains about is nobody's: a reader that leaves lets it go on.
    void ignore(process.stderr)
    if (process.stdin !== undefined) {
      const input = process.stdin
      void exchange.sendRequest(
        (bytes) => input.write(bytes),
        () => input.end(),
      )
    }
    await answer(exchange, process.stdout)
    const outcome = await process.outcome
    if (outcome.kind === 'exited') return exchange.complete({ kind: 'completed', outcome })
    return failed(exchange, wordsOf(outcome))
  }

/** A program of the provider's unit that listens already. With an argument, one line of JSON comes first. */
export const toSocket =
  (agent: CallAgent, path: string): Carry =>
  async (exchange, { caller, argument }) => {
    const connected = await agent.connect(path, { signal: exchange.signal })
    if (connected.isErr()) return failed(exchange, connected.error.message)
    const stream = connected.value
    const reset = () => stream.reset()
    exchange.signal.addEventListener('abort', reset, { once: true })
    if (exchange.signal.aborted) reset()
    void stream.readerGone.then(() => exchange.stopRequest())
    void (async () => {
      try {
        if (argument !== undefined) {
          const line = JSON.stringify({ caller, argument: argument.value ?? null })
          await stream.write(new TextEncoder().encode(`${line}\n`))
        }
      } catch {
        // It reads nothing at all; the request learns it, too.
      }
      await exchange.sendRequest(
        (bytes) => stream.write(bytes),
        () => stream.end(),
      )
    })()
    await answer(exchange, stream.incoming)
    const end = await orAborted(stream.closed, exchange.signal)
    exchange.signal.removeEventListener('abort', reset)
    if (end === undefined || end.kind === 'finished') return exchange.complete({ kind: 'completed' })
    return failed(exchange, end.kind === 'unit-lost' ? end.message : 'its connection was reset')
  }

/** A function of the host program. */
export const toFunction =
  (service: HostService): Carry =>
  async (exchange, facts) => {
    const call: HostCall = {
      caller: facts.caller,
      service: facts.service,
      argument: facts.argument?.value,
      request: exchange.request(),
      respond: (bytes) => exchange.respond(bytes),
      signal: exchange.signal,
    }
    const done = Promise.resolve()
      .then(() => (exchange.signal.aborted ? undefined : service(call)))
      .then(
        () => 'done' as const,
        (cause: unknown) => ({ cause }),
      )
    // It is told by the signal; one that does not listen is not waited for.
    const end = await orAborted(done, exchange.signal)
    if (end === undefined || end === 'done') return exchange.complete({ kind: 'completed' })
    return failed(exchange, `the function of the host program threw: ${wordsOfThrown(end.cause)}`)
  }

/** Hands on what the provider says until it or the caller has had enough. */
async function answer(exchange: Exchange, stream: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of stream) await exchange.respond(chunk)
  } catch {
    // The exchange knows why.
  }
  await exchange.endResponse()
}

async function ignore(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of stream) break
}

function failed(exchange: Exchange, message: string): CallEnd {
  exchange.fail({ kind: 'provider-failed', message: escapeAndCut(message, 500) })
  return exchange.end!
}

function wordsOf(outcome: ExecOutcome): string {
  switch (outcome.kind) {
    case 'signalled':
      return `the provider's command was ended by ${outcome.signal}`
    case 'not-started':
    case 'unit-lost':
      return outcome.message
    case 'oom':
      return "the provider's unit had no memory left for its command"
    default:
      return `the provider's command was ${outcome.kind}`
  }
}
