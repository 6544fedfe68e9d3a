import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nixStore, openHost } from '@spectrum/unit-runtime'
import { expect, it } from 'vitest'
import { debianPrograms } from '../../../debian-programs/src/debian-programs.js'
import { helloUnit } from '../../src/hello-unit.js'

it('the kernel that answers is the unit’s, and nothing is left', async () => {
  const state = await mkdtemp(join(tmpdir(), 'hello-unit-'))
  const uname = await debianPrograms('uname', ['/usr/bin/uname'])
  await using host = (await openHost({ store: nixStore(), stateDirectory: state }))._unsafeUnwrap()
  const { outcome, stdout } = (await helloUnit(host, uname.argv('uname', '-r')))._unsafeUnwrap()
  expect(outcome).toEqual({ kind: 'exited', code: 0 })
  const said = new TextDecoder().decode(stdout).trim()
  expect(said).toBe(host.units.get('hello')?.boot?.kernelRelease)
  await host.stop()
  const nothing = { processes: [], sockets: [], mounts: [], files: [] }
  expect((await host.leftovers())._unsafeUnwrap()).toEqual(nothing)
  await rm(state, { recursive: true, force: true })
})
