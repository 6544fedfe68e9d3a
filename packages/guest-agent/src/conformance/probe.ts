import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { Result } from 'neverthrow'
import type { Agent, GuestCommand, GuestProcess } from '../agent.js'
import type { AgentError } from '../errors.js'

/** A connected agent, and a program inside its unit that does what the checks ask of it. */
export interface ConformanceSubject extends AsyncDisposable {
  /** The agent under test; disposing the subject closes it. */
  readonly agent: Agent
  /** `argv` that runs the probe; the checks append a verb and its operand. `test/programs/probe.c` is one. */
  readonly probe: readonly string[]
  /** The directory in which programs of the unit find the services that are offered to them. */
  readonly services: string
  /** A directory in the unit in which programs may listen. */
  readonly sockets: string
}

/** One promise of the agent, as a check that throws when it does not hold. */
export interface ConformanceCheck<Subject extends ConformanceSubject = ConformanceSubject> {
  /** A sentence; give it to `it`. */
  readonly name: string
  /** Rejects with what did not hold. */
  run(open: () => Promise<Subject>): Promise<void>
}

export const checkOf =
  <Subject extends ConformanceSubject>() =>
  (name: string, body: (subject: Subject) => Promise<void>): ConformanceCheck<Subject> => ({
    name,
    async run(open) {
      await using subject = await open()
      await body(subject)
    },
  })

export async function start(
  { agent, probe }: ConformanceSubject,
  verb: readonly string[],
  more: Omit<GuestCommand, 'argv'> = {},
  options: Parameters<Agent['exec']>[1] = {},
): Promise<GuestProcess> {
  const result = await agent.exec({ argv: [...probe, ...verb], ...more }, options)
  if (result.isErr()) assert.fail(`exec failed: ${result.error.kind}: ${result.error.message}`)
  return result.value
}

/** Tries with more time until there is enough to begin with: a busy machine needs longer to start anything. */
export async function withDeadline<T>(
  begin: (deadlineMs: number) => PromiseLike<Result<T, AgentError>>,
): Promise<T> {
  for (let deadlineMs = 300; ; deadlineMs *= 4) {
    const result = await begin(deadlineMs)
    if (result.isOk()) return result.value
    if (result.error.kind !== 'timed-out' || deadlineMs > 30_000) assert.fail(result.error.message)
  }
}

export async function finish(process: GuestProcess) {
  const [stdout, stderr, outcome] = await Promise.all([
    collect(process.stdout),
    collect(process.stderr),
    process.outcome,
  ])
  return { stdout, stderr, outcome }
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function firstLine(process: GuestProcess, line: string): Promise<void> {
  assert.equal((await linesOf(process.stdout).next()).value, line)
}

export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let text = ''
  for await (const chunk of stream) {
    text += Buffer.from(chunk).toString('latin1')
    const whole = text.split('\n')
    text = whole.pop() ?? ''
    yield* whole
  }
}

/** Bytes that tell their own place; `flood` of the probe writes these with seed 1 on stdout, 2 on stderr. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + Math.floor(i / 256) + seed) & 0xff
  return bytes
}
