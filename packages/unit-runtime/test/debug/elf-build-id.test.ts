import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readBuildId } from '@spectrum/unit-runtime'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildIdNote, note, sameNotesOften, type TinyElf, tinyElf } from './elf.js'

const ID = '00112233445566778899aabbccddeeff01234567'
const read = (bytes: Uint8Array, sizeBytes = bytes.length) =>
  readBuildId({ sizeBytes, read: async (offset, length) => bytes.subarray(offset, offset + length) })
const refusal = async (bytes: Uint8Array) => (await read(bytes))._unsafeUnwrapErr()

describe('the build id', () => {
  it('of what a compiler made is the one that the linker was given, with and without the program itself', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'elf-'))
    try {
      const at = (name: string) => join(directory, name)
      writeFileSync(at('a.c'), 'int main(void) { return 0; }\n')
      const bounds = { timeout: 60_000, killSignal: 'SIGKILL' } as const
      execFileSync('gcc', ['-g', `-Wl,--build-id=0x${ID}`, '-o', at('a'), at('a.c')], bounds)
      execFileSync('objcopy', ['--only-keep-debug', at('a'), at('a.debug')], bounds)
      execFileSync('gcc', ['-Wl,--build-id=none', '-o', at('none'), at('a.c')], bounds)
      for (const name of ['a', 'a.debug'])
        expect((await read(readFileSync(at(name))))._unsafeUnwrap()).toBe(ID)
      expect((await refusal(readFileSync(at('none')))).kind).toBe('no-build-id')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it.each<[string, Omit<TinyElf, 'notes'>]>([
    ['sections', {}],
    ['segments', { bySegments: true }],
    ['big-endian sections', { bigEndian: true }],
    ['sections of 8-byte alignment', { alignment: 8 }],
  ])('is found among other notes in %s', async (_, options) => {
    const notes = [note('GNU\0', 1, Buffer.alloc(16), options), note('x\0', 3, Buffer.alloc(5), options)]
    const bytes = tinyElf({ ...options, notes: [...notes, buildIdNote(ID, options)] })
    expect((await read(bytes))._unsafeUnwrap()).toBe(ID)
  })

  it('has 2 to 64 bytes', async () => {
    for (const [size, fits] of [
      [1, false],
      [2, true],
      [64, true],
      [65, false],
    ] as const) {
      const result = await read(tinyElf({ notes: [buildIdNote('ab'.repeat(size))] }))
      expect(result.isOk()).toBe(fits)
      if (result.isErr()) expect(result.error.kind).toBe('malformed')
    }
  })

  it('is one: several that differ are refused, the same twice is not', async () => {
    const twice = [buildIdNote(ID), buildIdNote(ID)]
    expect((await read(tinyElf({ notes: twice })))._unsafeUnwrap()).toBe(ID)
    expect((await refusal(tinyElf({ notes: [...twice, buildIdNote('ff'.repeat(20))] }))).kind).toBe(
      'malformed',
    )
  })

  it.each([
    ['nothing', Buffer.alloc(0), 'not-elf'],
    ['text', Buffer.from('#!/bin/sh\n'.repeat(20)), 'not-elf'],
    ['a 32-bit file', Buffer.from(tinyElf({}).fill(1, 4, 5)), 'unsupported'],
    ['a version to come', Buffer.from(tinyElf({}).fill(2, 6, 7)), 'unsupported'],
    ['no notes', tinyElf({}), 'no-build-id'],
    ['a table of odd entries', Buffer.from(tinyElf({}).fill(63, 58, 59)), 'malformed'],
    ['a table behind the end', Buffer.from(tinyElf({}).fill(9, 41, 42)), 'malformed'],
    ['a place beyond all numbers', Buffer.from(tinyElf({}).fill(255, 40, 48)), 'malformed'],
    ['notes behind the end', Buffer.from(tinyElf({}).fill(9, 89, 90)), 'malformed'],
    ['notes without end', Buffer.from(tinyElf({}).fill(255, 97, 100)), 'malformed'],
    [
      'a note that is longer than its section',
      tinyElf({ notes: [buildIdNote(ID).fill(200, 4, 5)] }),
      'malformed',
    ],
    ['a note that is cut short', tinyElf({ notes: [Buffer.alloc(11)] }), 'malformed'],
  ])('of %s is refused', async (_, bytes, kind) => {
    expect((await refusal(bytes)).kind).toBe(kind)
  })

  it.each([
    [1, 1 << 20, true],
    [1, (1 << 20) + 4, false],
    [2, 1 << 19, true],
    [3, 1 << 19, false],
    [256, 4096, true],
    [256, 4100, false],
    [257, 36, false],
    [65_535, 36, false],
  ])('of a file with %i ranges of %i bytes of notes is found: %s', async (ranges, size, found) => {
    const id = buildIdNote(ID)
    const filler = size === id.length ? [] : [note('x', 1, Buffer.alloc(size - id.length - 16))]
    const bytes = sameNotesOften(tinyElf({ notes: [id, ...filler] }), ranges)
    let asked = 0
    const result = await readBuildId({
      sizeBytes: bytes.length,
      async read(offset, length) {
        asked += length
        return bytes.subarray(offset, offset + length)
      },
    })
    expect(result.isOk() ? result.value : result.error.kind).toBe(found ? ID : 'malformed')
    expect(asked).toBeLessThanOrEqual(64 + ranges * 64 + (found ? 1 << 20 : 0))
  })

  it('is not looked for any further once nobody wants it', async () => {
    const bytes = sameNotesOften(tinyElf({ notes: [buildIdNote(ID)] }), 200)
    const controller = new AbortController()
    let reads = 0
    const result = await readBuildId(
      {
        sizeBytes: bytes.length,
        async read(offset, length) {
          reads += 1
          if (reads === 3) controller.abort()
          return bytes.subarray(offset, offset + length)
        },
      },
      controller.signal,
    )
    expect(result._unsafeUnwrapErr().kind).toBe('aborted')
    expect(reads).toBe(3)
  })

  it('of a file that becomes shorter while it is read is refused', async () => {
    const whole = tinyElf({ notes: [buildIdNote(ID)] })
    expect((await read(whole.subarray(0, whole.length - 4), whole.length))._unsafeUnwrapErr().kind).toBe(
      'malformed',
    )
  })

  it('of whatever bytes is an id or a refusal, and takes bounded reading', async () => {
    const honest = tinyElf({ notes: [note('GNU\0', 1, Buffer.alloc(16)), buildIdNote(ID)] })
    const edits = fc.array(fc.tuple(fc.nat(honest.length - 1), fc.nat(255)), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(honest.length), async (changes, length) => {
        const bytes = Buffer.from(honest.subarray(0, length))
        for (const [at, value] of changes) if (at < length) bytes.writeUInt8(value, at)
        let asked = 0
        const result = await readBuildId({
          sizeBytes: bytes.length,
          async read(offset, count) {
            expect(offset + count).toBeLessThanOrEqual(bytes.length)
            asked += count
            return bytes.subarray(offset, offset + count)
          },
        })
        expect(asked).toBeLessThanOrEqual(4 * bytes.length + 64)
        if (result.isOk()) expect(result.value).toMatch(/^([0-9a-f]{2})+$/)
      }),
      { numRuns: 2_000 },
    )
  })
})
