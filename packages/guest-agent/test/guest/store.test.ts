import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent, GuestCommand } from '@spectrum/guest-agent'
import { pattern } from '@spectrum/guest-agent/conformance'
import type { GuestKernel } from '@spectrum/guest-agent/linux'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildTestPrograms } from '../support/built.js'
import { makeFlatImage, makeSplitImage } from '../support/image.js'
import { guestKernel, TestMachine } from '../support/machine.js'
import { collect } from '../support/streams.js'

const storeName = (letter: string, name: string) => `${letter.repeat(32)}-${name}`
const [probe, data, file, link] = [
  storeName('a', 'probe'),
  storeName('b', 'data'),
  storeName('c', 'file'),
  storeName('d', 'link'),
]
const [late, tail] = [storeName('f', 'late'), storeName('g', 'tail')]
const absent = 'e'.repeat(64)
const big = pattern(8 * 1024 * 1024 + 5, 3)

let directory: string
let kernel: GuestKernel
let hot: string
const at = (name: string) => join(directory, name)

/** From the trailer of a device that the tests have made. */
const idOf = (name: string) =>
  readFileSync(at(name))
    .subarray(-4096)
    .toString('latin1', 16, 16 + 64)

beforeAll(async () => {
  kernel = await guestKernel()
  directory = mkdtempSync(join(tmpdir(), 'guest-agent-store-'))
  mkdirSync(join(at('hot-tree'), late), { recursive: true })
  writeFileSync(join(at('hot-tree'), late, 'word'), 'late\n')
  hot = makeFlatImage(at('hot-tree'), at('hot'))
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('a unit with devices (software emulation)', () => {
  let machine: TestMachine
  let agent: Agent
  let split: { image: string; device: string }
  let inline: string

  beforeAll(async () => {
    const tree = at('tree')
    mkdirSync(join(tree, probe), { recursive: true })
    cpSync(buildTestPrograms().probe, join(tree, probe, 'probe'))
    // A dynamic program whose interpreter is not in the unit.
    cpSync('/bin/true', join(tree, probe, 'dynamic'))
    writeFileSync(join(tree, probe, 'script'), '#!/no/such/interpreter -x\n', { mode: 0o755 })
    writeFileSync(join(tree, probe, 'plain'), 'no program', { mode: 0o644 })
    mkdirSync(join(tree, data))
    writeFileSync(join(tree, data, 'big'), big)
    writeFileSync(join(tree, file), 'one file\n')
    symlinkSync(`${data}/big`, join(tree, link))
    split = makeSplitImage(tree, at('image'), at('blob'))
    mkdirSync(join(at('inline-tree'), tail), { recursive: true })
    writeFileSync(join(at('inline-tree'), tail, 'word'), 'inline\n')
    inline = makeFlatImage(at('inline-tree'), at('inline'), [])
    // Neither is the image first nor the order that of the device table.
    machine = await TestMachine.boot({
      kernel,
      pmem: [at('inline'), at('blob'), at('image')],
      hotplugSlots: 2,
    })
    agent = (await machine.connect())._unsafeUnwrap()
  })

  afterAll(() => machine?.[Symbol.asyncDispose]())

  const run = async (...argv: string[]) => exec({ argv: [`/nix/store/${probe}/probe`, ...argv] })
  const exec = async (command: GuestCommand) => {
    const process = (await agent.exec(command))._unsafeUnwrap()
    const [stdout, stderr] = await Promise.all([collect(process.stdout), collect(process.stderr)])
    return { stdout, stderr, outcome: await process.outcome }
  }
  const lines = (bytes: Buffer) => bytes.toString().split('\n').filter(Boolean).sort()

  it('finds devices by their trailers and binds exactly the named entries, with DAX', async () => {
    const report = await agent.mountStore({
      image: split.image,
      devices: [split.device],
      paths: [probe, file, link],
    })
    expect(report._unsafeUnwrap()).toEqual({ dax: true, bound: [probe, file, link] })
    expect(lines((await run('list', '/nix/store')).stdout)).toEqual([probe, file, link])
  })

  it('lists its store without any program', async () => {
    expect((await agent.listStore())._unsafeUnwrap()).toEqual([probe, file, link])
  })

  it('keeps what is bound and adds what is new', async () => {
    const mount = { image: split.image, devices: [split.device], paths: [probe, data] }
    expect((await agent.mountStore(mount))._unsafeUnwrap().bound).toEqual([data])
    expect((await agent.mountStore(mount))._unsafeUnwrap().bound).toEqual([])
  })

  it('shows files, links and their bytes as they are in the image', async () => {
    expect((await run('print', `/nix/store/${data}/big`)).stdout.equals(big)).toBe(true)
    expect((await run('print', `/nix/store/${link}`)).stdout.equals(big)).toBe(true)
    expect((await run('print', `/nix/store/${file}`)).stdout.toString()).toBe('one file\n')
  })

  it('reads file data without a copy in the page cache', async () => {
    const cached = async () =>
      Number(/^Cached: +(\d+) kB/m.exec((await run('print', '/proc/meminfo')).stdout.toString())?.[1])
    const before = await cached()
    await run('print', `/nix/store/${data}/big`)
    expect((await cached()) - before).toBeLessThan(1024)
  })

  it('lets nobody write to / or the store, and mounts everything nosuid and nodev', async () => {
    for (const path of ['/new', '/nix/store/new', `/nix/store/${data}/new`]) {
      expect((await run('touch', path)).stderr.toString()).toContain('Read-only file system')
    }
    expect((await run('touch', '/tmp/new')).outcome).toEqual({ kind: 'exited', code: 0 })
    const mounts = lines((await run('print', '/proc/self/mounts')).stdout)
    const binds = mounts.filter((mount) => mount.includes(` /nix/store/`))
    expect(binds).toHaveLength(3)
    for (const bind of binds) expect(bind).toMatch(/ erofs ro,nosuid,nodev,.*dax=always/)
  })

  it('gives a command no descriptor but its three', async () => {
    expect(lines((await run('descriptors')).stdout)).toEqual(['0', '1', '2'])
  })

  it('names the interpreter that a program lacks', async () => {
    const dynamic = (await exec({ argv: [`/nix/store/${probe}/dynamic`] })).outcome
    expect(dynamic).toMatchObject({ kind: 'not-started', reason: 'not-executable' })
    expect(JSON.stringify(dynamic)).toContain(
      'its ELF interpreter /lib64/ld-linux-x86-64.so.2 is not in this unit',
    )
    const script = (await exec({ argv: [`/nix/store/${probe}/script`] })).outcome
    expect(JSON.stringify(script)).toContain('its interpreter /no/such/interpreter is not')
  })

  it('says that a file is no program', async () => {
    const plain = (await exec({ argv: [`/nix/store/${probe}/plain`] })).outcome
    expect(plain).toMatchObject({ kind: 'not-started', reason: 'not-executable' })
  })

  it('leaves nothing of a mount that failed', async () => {
    const before = (await run('print', '/proc/self/mounts')).stdout.toString()
    const missing = storeName('h', 'missing')
    const error = (await agent.mountStore({ image: inline, devices: [], paths: [tail] }))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'kernel-lacks', feature: 'dax' })
    const other = await agent.mountStore({
      image: split.image,
      devices: [split.device],
      paths: [late, missing],
    })
    expect(other._unsafeUnwrapErr()).toMatchObject({ kind: 'refused', errno: 'ENOENT' })
    expect((await run('print', '/proc/self/mounts')).stdout.toString()).toBe(before)
    expect(lines((await run('list', '/run/spectrum/image')).stdout)).toEqual([])
  })

  it('leaves its store as it was when a change fails in the middle', async () => {
    const before = (await run('print', '/proc/self/mounts')).stdout.toString()
    const listed = (await agent.listStore())._unsafeUnwrap()
    const limit = (await run('print', '/proc/sys/fs/mount-max')).stdout.toString().trim()
    // As many mounts as there are, and so many more: the first steps succeed, a later one does not.
    for (const more of [0, 1, 2, 3]) {
      const count = lines(Buffer.from(before)).length + more
      expect((await run('write', '/proc/sys/fs/mount-max', `${count}`)).outcome).toMatchObject({ code: 0 })
      const gone = await agent.unbindStore([file, data, link, probe])
      expect(gone._unsafeUnwrapErr()).toMatchObject({ kind: 'refused', errno: 'ENOSPC' })
      const come = await agent.mountStore({ image: hot, devices: [], paths: [late] }, { deadlineMs: 500 })
      expect(come.isErr()).toBe(true)
      expect((await run('print', '/proc/self/mounts')).stdout.toString()).toBe(before)
      expect((await agent.listStore())._unsafeUnwrap()).toEqual(listed)
    }
    await run('write', '/proc/sys/fs/mount-max', limit)
    expect((await run('print', `/nix/store/${file}`)).stdout.toString()).toBe('one file\n')
  })

  it('takes paths away from everybody, and gives up their file systems once nobody uses them', async () => {
    const held = (
      await agent.exec({
        argv: [`/nix/store/${probe}/probe`, 'cat'],
        stdin: 'open',
        cwd: `/nix/store/${data}`,
      })
    )._unsafeUnwrap()
    const report = (await agent.unbindStore([data, file, link]))._unsafeUnwrap()
    expect(report).toEqual({ removed: [data, file, link], inUse: [data], processes: 1 })
    expect(lines((await run('list', '/nix/store')).stdout)).toEqual([probe])
    expect((await run('print', `/nix/store/${file}`)).stderr.toString()).toContain('No such file')
    expect((await run('print', `/proc/self/mounts`)).stdout.toString()).not.toContain(file)
    await held.stdin?.end()
    expect(await held.outcome).toEqual({ kind: 'exited', code: 0 })
    const again = { image: split.image, devices: [split.device], paths: [data, file, link] }
    expect((await agent.mountStore(again))._unsafeUnwrap()).toEqual({ dax: true, bound: [data, file, link] })
  })

  it('says which device did not appear', async () => {
    const mount = { image: absent, devices: [], paths: [probe] }
    const error = (await agent.mountStore(mount, { deadlineMs: 1_000 }))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'timed-out', message: expect.stringContaining(absent) })
  })

  it('stops waiting for a device when the caller gives up, and serves the next mount', async () => {
    const abort = new AbortController()
    const mount = { image: absent, devices: [], paths: [probe] }
    const waiting = agent.mountStore(mount, { signal: abort.signal })
    setTimeout(() => abort.abort(), 200)
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('aborted')
    const again = { image: split.image, devices: [split.device], paths: [probe] }
    expect((await agent.mountStore(again))._unsafeUnwrap().bound).toEqual([])
  })

  it('waits for a device that is plugged in late, and running processes see it', async () => {
    const running = (
      await agent.exec({ argv: [`/nix/store/${probe}/probe`, 'cat'], stdin: 'open' })
    )._unsafeUnwrap()
    const mounting = agent.mountStore({ image: hot, devices: [], paths: [late] })
    await machine.plug(at('hot'))
    expect((await mounting)._unsafeUnwrap()).toEqual({ dax: true, bound: [late] })
    const roots = lines((await run('list', '/proc')).stdout).filter((name) => /^\d+$/.test(name))
    const seen = await Promise.all(
      roots.map(async (pid) =>
        (await run('print', `/proc/${pid}/root/nix/store/${late}/word`)).stdout.toString(),
      ),
    )
    expect(seen.filter((text) => text === 'late\n').length).toBeGreaterThanOrEqual(2)
    await running.stdin?.end()
    expect(await running.outcome).toEqual({ kind: 'exited', code: 0 })
  })

  it('tells an out-of-memory kill from a signal', async () => {
    expect((await run('eat-memory')).outcome).toEqual({ kind: 'oom' })
    expect((await run('echo', 'alive')).stdout.toString()).toBe('alive\n')
  })

  it('powers the machine off when the host closes the channel', async () => {
    await agent[Symbol.asyncDispose]()
    expect(await machine.exit).toBe(0)
    expect(machine.console()).toContain('the host has closed the control channel')
  })
})

// From here each test has a machine of its own: one for each of two processors.
it.concurrent('reads the same images from disks, without mapping them (software emulation)', async () => {
  const block = await guestKernel({ transport: 'block' })
  expect(block.modules.map(({ name }) => name)).not.toContain('virtio_pmem')
  const disks = [at('blob'), at('hot'), at('image')]
  await using machine = await TestMachine.boot({ kernel: block, disks })
  const agent = (await machine.connect())._unsafeUnwrap()
  const mount = { image: idOf('image'), devices: [idOf('blob')], paths: [probe, data, file] }
  expect((await agent.mountStore(mount))._unsafeUnwrap()).toEqual({ dax: false, bound: mount.paths })
  const flat = { image: hot, devices: [], paths: [late] }
  expect((await agent.mountStore(flat))._unsafeUnwrap()).toEqual({ dax: false, bound: [late] })
  const print = async (path: string) => {
    const command = (await agent.exec({ argv: [`/nix/store/${probe}/probe`, 'print', path] }))._unsafeUnwrap()
    return collect(command.stdout)
  }
  expect((await print(`/nix/store/${data}/big`)).equals(big)).toBe(true)
  expect((await print(`/nix/store/${late}/word`)).toString()).toBe('late\n')
  expect((await print('/proc/mounts')).toString()).not.toContain('dax')
})

describe.concurrent('a unit whose kernel lacks something (software emulation)', () => {
  const without = async (names: readonly string[]) => {
    const modules = kernel.modules.filter((module) => !names.includes(module.name))
    await using machine = await TestMachine.boot({ kernel: { ...kernel, modules }, pmem: [at('hot')] })
    const agent = (await machine.connect())._unsafeUnwrap()
    return (await agent.mountStore({ image: hot, devices: [], paths: [late] }))._unsafeUnwrapErr()
  }

  it('says so when it is erofs', async () => {
    expect(await without(['erofs'])).toMatchObject({ kind: 'kernel-lacks', feature: 'erofs' })
  })

  it('says so when it is virtio-pmem', async () => {
    expect(await without(['virtio_pmem'])).toMatchObject({ kind: 'kernel-lacks', feature: 'virtio_pmem' })
  })
})
