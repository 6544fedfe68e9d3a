import type { IncomingMessage } from 'node:http'
import { err, ok, type Result } from 'neverthrow'
import type { Command } from '../board/snapshot.js'
import type { Refusal } from './refusal.js'

const MOST_BYTES = 1_024

const tooLong: Refusal = {
  status: 413,
  kind: 'too-long',
  message: `A command has at most ${MOST_BYTES} bytes.`,
}
const malformed: Refusal = { status: 400, kind: 'malformed', message: 'This is not a command.' }

/** Reads a body to its end, and never more than a command may have. How long it may take, the server decides. */
export async function readBody(request: IncomingMessage): Promise<Result<Uint8Array, Refusal>> {
  if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) return err(tooLong)
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    // The answer goes out on the same socket, which the iterator must not destroy.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      length += chunk.length
      if (length > MOST_BYTES) return err(tooLong)
      chunks.push(chunk)
    }
  } catch {
    return err({ status: 400, kind: 'gone', message: 'The request ended in the middle.' })
  }
  return ok(Buffer.concat(chunks))
}

/** A command as JSON: with exactly the fields that it has. */
export function readCommand(verb: Command['kind'], body: Uint8Array): Result<Command, Refusal> {
  let fields: Record<string, unknown>
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return err(malformed)
    fields = value as Record<string, unknown>
  } catch {
    return err(malformed)
  }
  const names = Object.keys(fields).join()
  if (verb === 'start' && names === '') return ok({ kind: 'start' })
  if (verb === 'stop' && names === 'now' && typeof fields['now'] === 'boolean')
    return ok({ kind: 'stop', now: fields['now'] })
  if (verb === 'inject' && names === 'software' && typeof fields['software'] === 'string')
    return ok({ kind: 'inject', software: fields['software'] })
  return err(malformed)
}
