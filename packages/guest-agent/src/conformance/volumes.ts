import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { Agent, VolumeMount } from '../agent.js'
import { type ConformanceCheck, type ConformanceSubject, checkOf } from './probe.js'

/** A subject with disks, by serial number. Nothing is mounted yet, and each check has a unit of its own. */
export interface VolumeSubject extends ConformanceSubject {
  readonly volumes: {
    /** ext4 with less than 8 MiB of room. */
    readonly small: string
    /** Another one. */
    readonly other: string
    /** A disk that holds nothing. */
    readonly empty: string
  }
}

const check = checkOf<VolumeSubject>()
const fileSystem = 'ext4'

/** What every agent promises that has volumes. */
export const volumeConformance: readonly ConformanceCheck<VolumeSubject>[] = [
  check('mounts volumes, with room of their own, each once', async ({ agent, volumes }) => {
    const path = '/home/some/where'
    ;(await agent.mountVolume({ device: volumes.small, fileSystem, path }))._unsafeUnwrap()
    ;(await agent.putFile({ below: path, path: 'kept' }, Buffer.from('kept')))._unsafeUnwrap()
    const full = (await agent.putFile({ below: path, path: 'x' }, Buffer.alloc(8 << 20)))._unsafeUnwrapErr()
    assert.equal(full.kind === 'file-failed' && full.reason, 'no-space')
    assert.equal(await errnoOf(agent, { device: volumes.small, fileSystem, path: '/home/other' }), 'EBUSY')
    assert.equal(await errnoOf(agent, { device: volumes.other, fileSystem, path }), 'EBUSY')
    // A place that nobody made before, in the root that is read-only else.
    ;(
      await agent.mountVolume({ device: volumes.other, fileSystem, path: '/data', readOnly: true })
    )._unsafeUnwrap()
    const sealed = (await agent.putFile({ path: '/data/x' }, Buffer.from('x')))._unsafeUnwrapErr()
    assert.equal(sealed.kind === 'file-failed' && sealed.reason, 'read-only')
    const root = (await agent.putFile({ path: '/x' }, Buffer.from('x')))._unsafeUnwrapErr()
    assert.equal(root.kind === 'file-failed' && root.reason, 'read-only')
    // Nobody is left to wait for.
    const report = (await agent.shutDown({ graceMs: 600_000 }))._unsafeUnwrap()
    assert.deepEqual([report.killed, report.unmounted, report.notUnmounted], [0, 2, 0])
    assert.deepEqual(await agent.closed, { kind: 'closed-by-unit' })
  }),

  check('finds on a volume what was put there before', async ({ agent, volumes }) => {
    ;(await agent.mountVolume({ device: volumes.small, fileSystem, path: '/home' }))._unsafeUnwrap()
    const file = (await agent.getFile({ path: '/home/kept' }))._unsafeUnwrap()
    const chunks: Uint8Array[] = []
    for await (const chunk of file.content) chunks.push(chunk)
    assert.equal(Buffer.concat(chunks).toString(), 'kept')
    assert.match(
      (await errnoOf(agent, { device: volumes.empty, fileSystem, path: '/data' })) ?? '',
      /EINVAL|EUCLEAN/,
    )
  }),

  check('waits for a disk that is not there, for as long as it is wanted', async ({ agent, volumes }) => {
    const absent: VolumeMount = { device: 'absent', fileSystem, path: '/data' }
    const late = (await agent.mountVolume(absent, { deadlineMs: 400 }))._unsafeUnwrapErr()
    assert.equal(late.kind, 'timed-out')
    assert.match(late.message, /absent/)
    const abort = new AbortController()
    const waiting = agent.mountVolume(absent, { signal: abort.signal })
    // It waits its turn behind one that is given up.
    const next = agent.mountVolume({ device: volumes.other, fileSystem, path: '/data' })
    abort.abort()
    assert.equal((await waiting)._unsafeUnwrapErr().kind, 'aborted')
    ;(await next)._unsafeUnwrap()
  }),

  check('says which field of a volume cannot be mounted', async ({ agent }) => {
    const good: VolumeMount = { device: 'x', fileSystem, path: '/data' }
    const field = async (bad: Partial<VolumeMount>) => {
      const error = (await agent.mountVolume({ ...good, ...bad }))._unsafeUnwrapErr()
      return error.kind === 'invalid-request' && error.field
    }
    for (const device of ['', 'x'.repeat(21), 'a/b', 'a b']) assert.equal(await field({ device }), 'device')
    assert.equal(await field({ fileSystem: 'btrfs' as 'ext4' }), 'fileSystem')
    const paths = [
      '',
      '/',
      'relative',
      '/a/',
      '/a//b',
      '/a/../b',
      '/./a',
      '/run',
      '/proc/x',
      '/sys',
      '/dev/shm',
    ]
    for (const path of [...paths, '/nix/store', '/run/spectrum', `/${'x'.repeat(255)}`, '/a\0']) {
      assert.equal(await field({ path }), 'path', path)
    }
  }),
]

async function errnoOf(agent: Agent, volume: VolumeMount): Promise<string | undefined> {
  const error = (await agent.mountVolume(volume))._unsafeUnwrapErr()
  return error.kind === 'refused' ? error.errno : error.kind
}
