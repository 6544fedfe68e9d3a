/** The allow-list client against the file server of a real crosvm (CROSVM, or PATH). It needs no KVM, but root. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { liveFds } from '@spectrum/unix-fd'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FsAllowList } from '../../src/control.js'
import { linuxControlPowers } from '../../src/linux.js'
import { findCrosvm } from '../crosvm-binary.js'

const crosvm = findCrosvm()
const missing = [
  ...(crosvm === undefined ? ['a crosvm in CROSVM or on PATH'] : []),
  // Without its sandbox the server pivots its root itself.
  ...(process.geteuid?.() === 0 ? [] : ['root']),
]
const title = 'the file server of a real crosvm'
const skipped = missing.length > 0 ? ` (skipped: it needs ${missing.join(', and ')})` : ''

describe.skipIf(missing.length > 0)(title + skipped, () => {
  const powers = linuxControlPowers()._unsafeUnwrap()
  let directory: string
  let server: ChildProcess
  let stderr: string

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'crosvm-allow-'))
    mkdirSync(join(directory, 'share', "a,b 'c'", 'deep'), { recursive: true })
    const path = (name: string) => join(directory, name)
    const sockets = [`--socket-path=${path('fs')}`, `--allowlist-socket-path=${path('allow')}`]
    const share = [`--shared-dir=${path('share')}`, '--tag=t', '--disable-sandbox']
    server = spawn(crosvm!, ['device', 'fs', ...sockets, ...share], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {},
    })
    stderr = ''
    server.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    await expect.poll(() => existsSync(path('allow')) && existsSync(path('fs'))).toBe(true)
  })

  afterEach(async () => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL')
      await once(server, 'exit')
    }
    rmSync(directory, { recursive: true, force: true })
    expect(liveFds()).toBe(0)
  })

  test('grants paths, takes them back, and names what it refuses', async () => {
    // The server serves the list once a machine is connected: a plain connection will do.
    const machine = connect(join(directory, 'fs'))
    await once(machine, 'connect')
    using list = new FsAllowList(powers, { path: join(directory, 'allow'), timeoutMs: 60_000 })
    const added = await list.add(['/', "/a,b 'c'/deep"])
    expect(added.isErr() ? { error: added.error, stderr } : undefined).toBeUndefined()
    expect((await list.remove(["/a,b 'c'/deep"])).isOk()).toBe(true)
    machine.destroy()
  })
})
