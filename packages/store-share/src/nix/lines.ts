import { Buffer } from 'node:buffer'
import { ok, type Result } from 'neverthrow'
import { found, type MalformedError, malformed, type NixFormat } from './malformed.js'

export interface Field {
  readonly line: number
  readonly key: string
  readonly value: string
}

/** The text of a file of `Key: value` lines. Each line must end, so a file that was cut short is not taken for one. */
export function parseFields(
  format: NixFormat,
  input: Uint8Array | string,
  maxBytes: number,
): Result<readonly Field[], MalformedError> {
  if (input.length > maxBytes) return malformed(format, `it is longer than ${maxBytes} bytes`)
  const text = typeof input === 'string' ? input : Buffer.from(input).toString('latin1')
  const lines = text.split('\n')
  if (lines.pop() !== '') return malformed(format, 'the last line does not end', { line: lines.length + 1 })
  const fields: Field[] = []
  for (const [index, content] of lines.entries()) {
    const line = index + 1
    const colon = content.indexOf(': ')
    const key = content.slice(0, Math.max(colon, 0))
    if (!/^[0-9A-Za-z_-]+$/.test(key)) {
      return malformed(format, `${found(content)} is not of the form \`Key: value\``, { line })
    }
    const value = content.slice(colon + 2)
    if (!/^[\x20-\x7e]*$/.test(value)) {
      return malformed(format, `the value of ${key} is not printable ASCII`, { line })
    }
    fields.push({ line, key, value })
  }
  return ok(fields)
}

/** A decimal number without sign or leading zeros that a JavaScript number holds. */
export function parseDecimal(text: string): number | undefined {
  const value = Number(text)
  return /^(0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}
