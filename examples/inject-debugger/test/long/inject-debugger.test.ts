import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nixStore, openHost } from '@spectrum/unit-runtime'
import { expect, it } from 'vitest'
import { injectDebugger } from '../../src/inject-debugger.js'
import { buildHanoi, debianGdb } from '../../src/programs.js'

it('a stack of question marks gets names, arguments and lines, and the program runs on', async () => {
  const state = await mkdtemp(join(tmpdir(), 'inject-debugger-'))
  const path = await buildHanoi()
  const gdb = await debianGdb()
  const options = { store: nixStore(), injection: true, stateDirectory: state } as const
  await using host = (await openHost(options))._unsafeUnwrap()
  const report = (await injectDebugger(host, { path, file: `${path}/bin/hanoi` }, gdb))._unsafeUnwrap()

  expect(report.added).toEqual([gdb.path, expect.stringMatching(/-hanoi-debug$/)])
  const before = report.before.join('\n')
  expect(before).toContain('in ?? ()')
  expect(before).not.toContain('hanoi.c')
  const after = report.after.join('\n')
  expect(after).toMatch(/ move_tower \(disks=\d, from=6\d '[ABC]', to=6\d '[ABC]', .*\) at \.\/hanoi\.c:\d+/)
  expect(after).toMatch(/ main \(\) at \.\/hanoi\.c:\d+$/)
  expect(report.ended).toMatchObject({ kind: 'signalled', signal: 'SIGTERM' })
  await host.stop()
  await rm(state, { recursive: true, force: true })
})
