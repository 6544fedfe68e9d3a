import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { liveFds } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CrosvmControl, FsAllowList } from '../src/control.js'
import { type FakeEnd, runFakeCrosvm } from '../src/fake.js'
import { type CrosvmMachine, type CrosvmSpec, crosvmSpec, printArgv } from '../src/index.js'
import { linuxControlPowers } from '../src/linux.js'

const powers = linuxControlPowers()._unsafeUnwrap()
const sockets = unixFd()._unsafeUnwrap()
const openDescriptors = () => readdirSync('/proc/self/fd').length

let directory: string
let stop: AbortController
let ends: Promise<FakeEnd>[]
const lines: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'crosvm-control-'))
  stop = new AbortController()
  ends = []
  lines.length = 0
})

afterEach(async () => {
  stop.abort()
  await Promise.all(ends)
  rmSync(directory, { recursive: true })
  expect(liveFds()).toBe(0)
})

function describeMachine(behaviour: string[] = [], rest: Partial<CrosvmMachine> = {}): CrosvmSpec {
  const params = behaviour.map((word) => `fake-crosvm.${word}`)
  return crosvmSpec({
    architecture: 'x86_64',
    boot: { kind: 'kernel', path: '/k' },
    socket: join(directory, 'control'),
    params,
    ...rest,
  })._unsafeUnwrap()
}

function start(spec: CrosvmSpec): Promise<FakeEnd> {
  const fake = {
    ...powers,
    sockets,
    architecture: spec.architecture,
    print: () => {},
    log: (line: string) => lines.push(line),
  }
  const end = runFakeCrosvm(printArgv(spec), fake, stop.signal)
  ends.push(end)
  return end
}

const everything: Partial<CrosvmMachine> = {
  cpus: { count: 2 },
  block: [{ path: '/d' }, { path: '/r', readOnly: true }],
  balloon: { kind: 'present', workingSetReporting: true },
  gpu: {},
  battery: 'goldfish',
  sound: [{ backend: 'null' }],
  swapDirectory: '/swap',
  pciHotplugSlots: 1,
  rtCpus: [0],
  delayRt: true,
}

describe('the control client', () => {
  test('speaks every request with a machine that has everything', async () => {
    const spec = describeMachine([], everything)
    const ended = start(spec)
    using control = new CrosvmControl(powers, { spec, features: ['registered_events'] })
    using memory = sockets.createMemfd('shared')._unsafeUnwrap()
    const { fd } = memory
    expect((await control.ready())._unsafeUnwrap()).toEqual([
      { vcpu: 0, pid: 1000, tid: 1001 },
      { vcpu: 1, pid: 1000, tid: 1002 },
    ])
    const done = [
      await control.pressPowerButton(),
      await control.pressSleepButton(),
      await control.raiseGpe(3),
      await control.raiseGpe(3, fd),
      await control.raisePciPme(8),
      await control.raiseRtc(fd),
      await control.suspendVcpus(),
      await control.resumeVcpus(),
      await control.adjustBalloon(1n << 20n, { wait: true }),
      await control.configureWorkingSet({ bins: [1, 2], refreshThreshold: 1, reportThreshold: 1 }),
      await control.resizeDisk(0, 9007199254740993n),
      await control.plugVfio('/sys/bus/pci/devices/0000:00:01.0'),
      await control.unplugVfio('/sys/bus/pci/devices/0000:00:01.0'),
      await control.removeTap(1),
      await control.addDisplays([{ windowed: [800, 600] }]),
      await control.removeDisplays([0]),
      await control.changeBattery({ kind: 'capacity', percent: 50 }),
      await control.muteSound(true),
      await control.enableSwap(),
      await control.trimSwap(),
      await control.swapOut(),
      await control.disableSwap(),
      await control.makeRealTime(),
      await control.registerListener('/l', 'VirtioBalloonResize'),
      await control.unregisterListener('/l', 'VirtioBalloonResize'),
      await control.unregister('/l'),
      await control.throttle(1, 5),
    ]
    expect(done.map((result) => (result.isErr() ? result.error : undefined))).toEqual(
      done.map(() => undefined),
    )
    expect((await control.balloonStats())._unsafeUnwrap()).toMatchObject({
      balloonBytes: 1n << 20n,
      stats: { free_memory: 9007199254740993n },
    })
    expect((await control.balloonWorkingSet())._unsafeUnwrap().buckets).toHaveLength(1)
    expect((await control.attachUsb(fd))._unsafeUnwrap()).toBe(1)
    expect((await control.attachSecurityKey(fd))._unsafeUnwrap()).toBe(2)
    expect((await control.listUsb())._unsafeUnwrap()).toHaveLength(2)
    expect((await control.detachUsb(2))._unsafeUnwrap()).toBe(2)
    expect((await control.detachUsb(9))._unsafeUnwrapErr()).toMatchObject({ kind: 'refused' })
    expect((await control.addTap('tap0'))._unsafeUnwrap()).toBe(1)
    expect((await control.listDisplays())._unsafeUnwrap().size).toBe(0)
    expect((await control.swapStatus())._unsafeUnwrap().state).toBe('Ready')
    const vm = (await control.vmDescriptor())._unsafeUnwrap()
    expect(vm.hypervisor).toBe('Kvm')
    vm.fd.close()
    const range = { offset: 0n, start: 1n << 40n, end: (1n << 40n) + 4096n }
    const region = (await control.registerMemory(fd, range))._unsafeUnwrap()
    expect((await control.unregisterMemory(region)).isOk()).toBe(true)
    expect((await control.unregisterMemory(region))._unsafeUnwrapErr()).toMatchObject({ kind: 'refused' })
    expect((await control.exit()).isOk()).toBe(true)
    expect(await ended).toEqual({ kind: 'exited', code: 0 })
    expect(existsSync(spec.socket!)).toBe(false)
  })

  test('suspends and takes snapshots where every device can', async () => {
    const spec = describeMachine([], { usb: false })
    start(spec)
    using control = new CrosvmControl(powers, { spec })
    await control.ready()
    expect((await control.suspend()).isOk()).toBe(true)
    expect((await control.takeSnapshot('/snap')).isOk()).toBe(true)
    expect((await control.resume()).isOk()).toBe(true)
  })

  test('is ready only when the main loop answers, however late the socket comes', async () => {
    const spec = describeMachine(['late-socket=150', 'slow-start=150'])
    using control = new CrosvmControl(powers, { spec })
    const begun = performance.now()
    start(spec)
    expect((await control.ready({ timeoutMs: 20_000 })).isOk()).toBe(true)
    expect(performance.now() - begun).toBeGreaterThan(250)
  })

  test('gives up waiting at its deadline, or when the caller aborts, and says which', async () => {
    const spec = describeMachine()
    using control = new CrosvmControl(powers, { spec })
    expect((await control.ready({ timeoutMs: 60 }))._unsafeUnwrapErr().kind).toBe('no-reply')
    const late = await control.ready({ timeoutMs: 5000, signal: AbortSignal.timeout(50) })
    expect(late._unsafeUnwrapErr().kind).toBe('aborted')
    start(describeMachine(['no-reply=VcpuPidTid']))
    expect((await control.ready({ timeoutMs: 100 }))._unsafeUnwrapErr().kind).toBe('no-reply')
  })

  test.each([
    ['no-reply=BalloonCommand', 'no-reply'],
    ['malformed=BalloonCommand', 'malformed-reply'],
    ['wrong=BalloonCommand', 'malformed-reply'],
    ['extra-descriptor=BalloonCommand', 'malformed-reply'],
    ['disconnect=BalloonCommand', 'disconnected'],
    ['error=BalloonCommand', 'refused'],
  ])('answers %s with %s, and the next request is sound', async (behaviour, kind) => {
    const spec = describeMachine([behaviour])
    start(spec)
    // Only who gets no reply waits for its deadline.
    using control = new CrosvmControl(powers, { spec, timeoutMs: kind === 'no-reply' ? 300 : 20_000 })
    await control.ready({ timeoutMs: 20_000 })
    const before = openDescriptors()
    const refused = (await control.balloonStats())._unsafeUnwrapErr()
    expect(refused.kind).toBe(kind)
    if (refused.kind === 'refused') expect(refused.code).toBe('ENODEV')
    expect((await control.vcpuThreads())._unsafeUnwrap()).toHaveLength(1)
    expect(openDescriptors()).toBeLessThanOrEqual(before)
  })

  test('never takes a late answer for that of the next request', async () => {
    const spec = describeMachine(['late=BalloonCommand'])
    start(spec)
    using control = new CrosvmControl(powers, { spec })
    await control.ready()
    expect((await control.balloonStats({ timeoutMs: 50 }))._unsafeUnwrapErr().kind).toBe('no-reply')
    expect((await control.listUsb())._unsafeUnwrap()).toEqual([])
    expect((await control.balloonStats()).isOk()).toBe(true)
  })

  test('sends requests one after another, and the wait counts against each deadline', async () => {
    const spec = describeMachine(['late=BalloonCommand'])
    start(spec)
    using control = new CrosvmControl(powers, { spec })
    await control.ready()
    const [first, second, third] = await Promise.all([
      control.balloonStats(),
      control.vcpuThreads({ timeoutMs: 50 }),
      control.listUsb(),
    ])
    expect(first.isOk()).toBe(true)
    expect(second._unsafeUnwrapErr().kind).toBe('no-reply')
    expect(third.isOk()).toBe(true)
  })

  test('closed while somebody waits ends the wait as closed, also for those behind', async () => {
    const spec = describeMachine(['no-reply=BalloonCommand'])
    start(spec)
    const control = new CrosvmControl(powers, { spec })
    await control.ready()
    const waiting = Promise.all([control.balloonStats(), control.vcpuThreads()])
    control.close()
    control.close()
    for (const result of await waiting) expect(result._unsafeUnwrapErr().kind).toBe('closed')
    expect((await control.exit())._unsafeUnwrapErr().kind).toBe('closed')
  })

  test('finds a crosvm that was restarted at the same path', async () => {
    const spec = describeMachine()
    const ended = start(spec)
    using control = new CrosvmControl(powers, { spec })
    await control.ready()
    await control.exit()
    await ended
    expect((await control.vcpuThreads())._unsafeUnwrapErr().kind).toBe('not-listening')
    start(spec)
    expect((await control.ready()).isOk()).toBe(true)
  })

  test('refuses beforehand what would do nothing on this machine', async () => {
    const spec = describeMachine([], {
      usb: false,
      balloon: { kind: 'absent' },
      sharedDirectories: [{ type: 'fs', path: '/', tag: 't' }],
    })
    // Nobody listens: what is refused was not sent.
    using control = new CrosvmControl(powers, { spec })
    const refused = await Promise.all([
      control.listUsb(),
      control.balloonStats(),
      control.adjustBalloon(1n),
      control.balloonWorkingSet(),
      control.suspend(),
      control.takeSnapshot('/s'),
      control.addTap('tap0'),
      control.listDisplays(),
      control.changeBattery({ kind: 'cancel-fake' }),
      control.muteSound(true),
      control.swapStatus(),
      control.makeRealTime(),
      control.setMouseMode(0, 'touchscreen'),
      control.registerListener('/l', 'VirtioBalloonResize'),
    ])
    for (const result of refused) expect(result._unsafeUnwrapErr().kind).toBe('unsupported')
    const arm = crosvmSpec({
      architecture: 'aarch64',
      boot: { kind: 'kernel', path: '/k' },
      socket: '/run/x',
    })._unsafeUnwrap()
    using elsewhere = new CrosvmControl(powers, { spec: arm })
    for (const result of [await elsewhere.pressPowerButton(), await elsewhere.plugVfio('/sys/x')]) {
      expect(result._unsafeUnwrapErr().kind).toBe('unsupported')
    }
  })

  test('refuses arguments that the protocol cannot hold, and a balloon larger than the guest', async () => {
    const spec = describeMachine([], everything)
    using control = new CrosvmControl(powers, { spec })
    const wrong = await Promise.all([
      control.adjustBalloon(257n << 20n),
      control.adjustBalloon(-1n),
      control.resizeDisk(0, 1n << 64n),
      control.resizeDisk(7, 1n),
      control.detachUsb(1.5),
      control.raiseGpe(256),
      control.throttle(2, 1),
      control.throttle(0, Number.NaN),
      control.removeDisplays([-1]),
      control.addDisplays([{ windowed: [1.5, 1] }]),
    ])
    for (const result of wrong) expect(result._unsafeUnwrapErr().kind).toBe('invalid-argument')
    expect((await control.resizeDisk(1, 1n))._unsafeUnwrapErr().kind).toBe('unsupported')
  })
})

describe('the allow-list of a file server', () => {
  test('adds and removes paths, and names what the server said', async () => {
    const path = join(directory, 'allow')
    using listener = sockets.listen(path, 'seqpacket')._unsafeUnwrap()
    const answers = ['"Ok"', '{"Err":"no \\u001b such"}', '{"Okay":1}', '"Ok"']
    const asked: string[] = []
    const server = (async () => {
      // The client connects anew after a reply that it did not understand.
      for (let connection = 0; connection < 4 && answers.length > 0; connection += 1) {
        using peer = (await listener.accept(AbortSignal.timeout(20_000)))._unsafeUnwrap()
        for (;;) {
          const got = await peer.receive({ signal: AbortSignal.timeout(20_000) })
          if (got.isErr() || got.value.kind === 'end') break
          asked.push(Buffer.from(got.value.bytes).toString())
          await peer.send(Buffer.from(answers.shift()!), { signal: AbortSignal.timeout(20_000) })
          if (answers.length === 0) break
        }
      }
    })()
    using list = new FsAllowList(powers, { path })
    expect((await list.add(['/a', "/b ,'"])).isOk()).toBe(true)
    expect((await list.remove(['/a']))._unsafeUnwrapErr()).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('\\x1b'),
    })
    expect((await list.add(['/a']))._unsafeUnwrapErr().kind).toBe('malformed-reply')
    expect((await list.remove(['/b'])).isOk()).toBe(true)
    for (const paths of [[], ['rel'], ['/a/../b'], ['/\0']]) {
      expect((await list.add(paths))._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }
    await server
    expect(asked[0]).toBe(`{"AddPaths":{"paths":["/a","/b ,'"]}}`)
    expect(asked[1]).toBe('{"RemovePaths":{"paths":["/a"]}}')
  })
})

describe('the fake', () => {
  test('does not start where a socket was left behind', async () => {
    const spec = describeMachine()
    writeFileSync(spec.socket!, '')
    expect(await start(spec)).toEqual({ kind: 'exited', code: 1 })
    expect(lines.join()).toContain('exists')
  })
})
