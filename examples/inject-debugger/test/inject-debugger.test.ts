import { type FakeProgram, openFakeHost } from '@spectrum/unit-runtime/fake'
import { expect, it } from 'vitest'
import { buildIdNote, tinyElf } from '../../../packages/unit-runtime/test/debug/elf.js'
import type { Programs } from '../../debian-programs/src/debian-programs.js'
import { injectDebugger } from '../src/inject-debugger.js'

const ID = 'abcdef0011223344556677889900aabbccddeeff'
const [hanoi, debug, gdb] = ['1-hanoi', '2-hanoi-debug', '3-gdb'].map((name) => {
  const [digit, ...rest] = name.split('-')
  return `/nix/store/${digit!.repeat(32)}-${rest.join('-')}`
}) as [string, string, string]
const storeFiles = {
  [`${hanoi}/bin/hanoi`]: tinyElf({ notes: [buildIdNote(ID)] }),
  [`${debug}/lib/debug/.build-id/ab/${ID.slice(2)}.debug`]: tinyElf({ notes: [buildIdNote(ID)] }),
}

/** Says its number, in two pieces, and runs until it is killed. */
const moving: FakeProgram = async ({ stdout, killed }) => {
  await stdout.write('process')
  await stdout.write(' 42\n')
  return new Promise((resolve) => killed.addEventListener('abort', () => resolve({ signal: 15 })))
}
/** Knows lines only when it is told where debug information lies. */
const debugging: FakeProgram = async ({ argv, stdout }) => {
  const knows = argv.includes(`set debug-file-directory ${debug}/lib/debug`)
  const place = knows ? 'main () at ./hanoi.c:32' : '?? ()'
  await stdout.write(`Attaching to ${argv[argv.indexOf('-p') + 1]}\n#0  0x0000000000401716 in ${place}\n`)
  return 0
}

it('the debugger is injected, then what it knows the lines by, while the program runs', async () => {
  const programs = { [`${hanoi}/bin/hanoi`]: moving, [`${gdb}/bin/gdb`]: debugging }
  const store = { [hanoi]: {}, [debug]: {}, [gdb]: {} }
  await using host = (await openFakeHost({ store, storeFiles, programs, injection: true }))._unsafeUnwrap()
  const tools: Programs = { path: gdb, argv: (program, ...words) => [`${gdb}/bin/${program}`, ...words] }
  const program = { path: hanoi, file: `${hanoi}/bin/hanoi` }
  const report = (await injectDebugger(host, program, tools))._unsafeUnwrap()
  expect(report.before).toEqual(['#0  0x0000000000401716 in ?? ()'])
  expect(report.after).toEqual(['#0  0x0000000000401716 in main () at ./hanoi.c:32'])
  expect(report.added).toEqual([gdb, debug])
  expect(report.ended.kind).toBe('signalled')
})
