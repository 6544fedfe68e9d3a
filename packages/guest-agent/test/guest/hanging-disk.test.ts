import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, it } from 'vitest'
import { makeExt4 } from '../support/image.js'
import { guestKernel, TestMachine } from '../support/machine.js'

const fileSystem = 'ext4'
let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'guest-agent-disk-'))
  for (const name of ['used', 'good', 'silent']) makeExt4(join(directory, name), 6 << 20)
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

// One machine for each of two processors.
it.concurrent('answers, and ends its unit in order, while a disk that it is to mount does not answer', async ({
  expect,
}) => {
  await using machine = await TestMachine.boot({
    kernel: await guestKernel({ volumes: true }),
    volumes: { good: join(directory, 'used') },
    hotplugSlots: 1,
  })
  const agent = (await machine.connect())._unsafeUnwrap()
  const states: string[] = []
  using _beats = agent.startHeartbeat({
    intervalMs: 1_000,
    missedBeats: 10,
    onChange: (state) => states.push(state),
  })
  ;(await agent.mountVolume({ device: 'good', fileSystem, path: '/home' }))._unsafeUnwrap()
  ;(await agent.putFile({ path: '/home/kept' }, Buffer.from('kept')))._unsafeUnwrap()
  await machine.plugHangingDisk('hung')
  const hung = { device: 'hung', fileSystem, path: '/data' } as const
  // The first times out, or the one after the disk has appeared; whoever asks again hears why it is in vain.
  await expect
    .poll(async () => {
      const mounting = agent.mountVolume(hung, { deadlineMs: 1_500 })
      ;(await agent.listStore())._unsafeUnwrap()
      const error = (await mounting)._unsafeUnwrapErr()
      return error.kind === 'refused' ? error.message : error.kind
    })
    .toContain('does not answer an earlier mount')
  expect(states).toEqual([])
  const report = (await agent.shutDown({ graceMs: 600_000 }))._unsafeUnwrap()
  // QEMU itself waits for the disk from here on.
  expect(report).toMatchObject({ killed: 0, unmounted: 1, notUnmounted: 0 })
})

it.concurrent('gives up a disk that does not answer while it is unmounted, unmounts the others, and answers meanwhile', async ({
  expect,
}) => {
  await using machine = await TestMachine.boot({
    kernel: await guestKernel({ volumes: true }),
    volumes: { good: join(directory, 'good'), silent: join(directory, 'silent') },
  })
  const agent = (await machine.connect())._unsafeUnwrap()
  for (const [device, path] of [
    ['good', '/home'],
    ['silent', '/data'],
  ] as const) {
    ;(await agent.mountVolume({ device, fileSystem, path }))._unsafeUnwrap()
    ;(await agent.putFile({ path: `${path}/kept` }, Buffer.from(device)))._unsafeUnwrap()
  }
  await machine.silence('silent')
  const steps: string[] = []
  const report = agent.shutDown({ graceMs: 500, deadlineMs: 6_500, onStep: (step) => steps.push(step) })
  await expect.poll(() => steps).toEqual(['asked', 'killed'])
  ;(await agent.listStore())._unsafeUnwrap()
  expect((await report)._unsafeUnwrap()).toMatchObject({ unmounted: 1, notUnmounted: 1, synced: false })
  expect(machine.console()).toContain('the volume at /data stays mounted: its disk does not answer')
  expect(await agent.closed).toEqual({ kind: 'closed-by-unit' })
  // All that was written is on the one that answers, and its file system needs no mending.
  const facts = spawnSync('debugfs', ['-R', 'stats -h', join(directory, 'good')], {
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  expect(facts.stdout).toMatch(/^Filesystem state: +clean$/m)
  expect(facts.stdout).not.toContain('needs_recovery')
})
