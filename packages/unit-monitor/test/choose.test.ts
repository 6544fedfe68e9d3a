import {
  chooseMonitor,
  type KvmProbe,
  type MonitorCandidate,
  type MonitorTrial,
  type Verdict,
} from '@spectrum/unit-monitor'
import { echoGuest, type FakeGuest, type FakeScript, fakeMonitor } from '@spectrum/unit-monitor/fake'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { describe, expect, it } from 'vitest'

const { clock } = linuxPowers()
const usable: KvmProbe = { probe: async () => ({ verdict: 'usable', reason: 'it ran a guest' }) }

/** Guests that have started and not ended. */
const live = new Set<FakeGuest>()

const candidate = (
  accelerator: 'kvm' | 'emulation',
  script: FakeScript = { guest: echoGuest },
): MonitorCandidate => ({
  monitor: fakeMonitor(
    { clock },
    {
      accelerator,
      ...script,
      guest(guest) {
        live.add(guest)
        guest.ended.addEventListener('abort', () => live.delete(guest))
        return script.guest?.(guest)
      },
    },
  ),
  identity: `binary ${accelerator}`,
})

function trial(): MonitorTrial & { prepared: number; disposed: number } {
  const counted = {
    prepared: 0,
    disposed: 0,
    identity: 'kernel',
    firstLineMs: 300,
    firstByteMs: 600,
    async machine() {
      counted.prepared += 1
      return {
        description: {
          name: 'trial',
          kernel: '/vmlinuz',
          initramfs: '/initramfs',
          kernelParameters: ['mine'],
          memoryBytes: 64 * 1024 * 1024,
          vcpuCount: 1,
          pmem: [],
          hotplugSlots: 0,
          directory: '/run/trial',
        },
        async [Symbol.asyncDispose]() {
          expect(live.size).toBe(0)
          counted.disposed += 1
        },
      }
    },
  }
  return counted
}

describe('choosing a monitor', () => {
  it('takes the first candidate whose guest answers', async () => {
    const own = trial()
    const chosen = (
      await chooseMonitor({ clock }, [candidate('kvm'), candidate('emulation')], own, { kvm: usable })
    )._unsafeUnwrap()
    expect(chosen.monitor.accelerator).toBe('kvm')
    expect(chosen.considered).toHaveLength(1)
    expect(chosen.considered[0]).toMatchObject({ monitor: 'fake', accelerator: 'kvm', verdict: 'works' })
    expect([own.prepared, own.disposed]).toEqual([1, 1])
  })

  it.each<[string, FakeScript, RegExp]>([
    ['dies at start', { startup: () => ({ kind: 'dies', code: 1, lines: ['MSR 0x10a'] }) }, /MSR 0x10a/],
    ['never connects', { startup: () => ({ kind: 'hangs' }) }, /did not end in time/],
    ['has a guest that prints nothing', {}, /nothing on its console within 300 ms/],
    [
      'has a guest that prints and then hangs',
      {
        guest: async ({ print, ended }) => {
          while (!ended.aborted) {
            print('alive\n')
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
        },
      },
      /nothing on its control channel within 600 ms; its last line: alive/,
    ],
    [
      'has a guest that resets itself',
      {
        guest: ({ print, crash }) => {
          print('panic\n')
          setTimeout(crash, 20)
        },
      },
      /ended \(failed\) before its guest answered/,
    ],
    ['is missing', { startup: () => ({ kind: 'missing' }) }, /no binary/],
  ])('passes over one that %s, says why, and cleans up', async (_, script, reason) => {
    const own = trial()
    const chosen = (
      await chooseMonitor({ clock }, [candidate('kvm', script), candidate('emulation')], own)
    )._unsafeUnwrap()
    expect(chosen.monitor.accelerator).toBe('emulation')
    expect(chosen.considered[0]).toMatchObject({ accelerator: 'kvm', verdict: 'refused' })
    expect(chosen.considered[0]?.reason).toMatch(reason)
    expect(chosen.why).toMatch(/emulation works .* kvm was refused/)
    expect([own.prepared, own.disposed]).toEqual([2, 2])
  })

  it('boots nothing on a KVM that the probe found unusable', async () => {
    const kvm: KvmProbe = { probe: async () => ({ verdict: 'unusable', reason: 'no /dev/kvm' }) }
    const own = trial()
    const chosen = (
      await chooseMonitor({ clock }, [candidate('kvm'), candidate('emulation')], own, { kvm })
    )._unsafeUnwrap()
    expect(chosen.considered[0]?.reason).toBe('no /dev/kvm')
    expect(chosen.monitor.accelerator).toBe('emulation')
    expect(own.prepared).toBe(1)
  })

  it.each<[string, KvmProbe]>([
    ['hangs', { probe: () => new Promise(() => {}) }],
    ['cannot tell', { probe: async () => ({ verdict: 'unknown', reason: 'the probe was killed' }) }],
  ])('boots the machine all the same when the probe %s', async (_, kvm) => {
    const chosen = (
      await chooseMonitor({ clock }, [candidate('kvm'), candidate('emulation')], trial(), { kvm })
    )._unsafeUnwrap()
    expect(chosen.monitor.accelerator).toBe('kvm')
  })

  it('passes over a monitor that lacks what is required, without a trial', async () => {
    const fixed: FakeScript = {
      guest: echoGuest,
      capabilities: { ...candidate('kvm').monitor.capabilities, pmemHotplug: false },
    }
    const own = trial()
    const candidates = [candidate('kvm', fixed), candidate('emulation')]
    const chosen = (
      await chooseMonitor({ clock }, candidates, own, { requires: ['pmemHotplug'] })
    )._unsafeUnwrap()
    expect(chosen.monitor.accelerator).toBe('emulation')
    expect(chosen.considered[0]).toMatchObject({
      verdict: 'refused',
      reason: expect.stringContaining('pmemHotplug'),
    })
    expect(own.prepared).toBe(1)
    const content = (await chooseMonitor({ clock }, candidates, trial()))._unsafeUnwrap()
    expect(content.monitor.accelerator).toBe('kvm')
  })

  it('takes a monitor that injects by a view alone where injection is required, and none that cannot at all', async () => {
    const guest = echoGuest
    const rigid = { pmemHotplug: false, blockHotplug: false }
    const without = candidate('kvm', { guest, capabilities: { ...rigid, view: false } })
    const viewOnly = candidate('kvm', { guest, capabilities: rigid })
    const options = { requires: ['injection'] } as const
    const chosen = (await chooseMonitor({ clock }, [without, viewOnly], trial(), options))._unsafeUnwrap()
    expect(chosen.monitor).toBe(viewOnly.monitor)
    expect(chosen.considered[0]).toMatchObject({
      verdict: 'refused',
      reason: expect.stringContaining('injection'),
    })
    expect((await chooseMonitor({ clock }, [without], trial(), options)).isErr()).toBe(true)
  })

  it('fails with every reason when no candidate works', async () => {
    const result = await chooseMonitor({ clock }, [candidate('kvm', {}), candidate('emulation', {})], trial())
    const error = result._unsafeUnwrapErr()
    expect(error.kind).toBe('unsupported')
    expect(error.message.match(/printed nothing/g)).toHaveLength(2)
    expect((await chooseMonitor({ clock }, [], trial()))._unsafeUnwrapErr().kind).toBe('unsupported')
  })

  it('asks a cache first and tells it every verdict', async () => {
    const stored = new Map<string, Verdict>()
    const cache = {
      get: async (key: string) => stored.get(key),
      put: async (key: string, verdict: Verdict) => void stored.set(key, verdict),
    }
    const candidates = [candidate('kvm', {}), candidate('emulation')]
    const first = (await chooseMonitor({ clock }, candidates, trial(), { cache }))._unsafeUnwrap()
    const own = trial()
    const second = (await chooseMonitor({ clock }, candidates, own, { cache }))._unsafeUnwrap()
    expect(own.prepared).toBe(0)
    expect(second.considered).toEqual(first.considered)
    expect(stored.size).toBe(2)
    const otherKernel = { ...trial(), identity: 'another kernel' }
    await chooseMonitor({ clock }, candidates, otherKernel, { cache })
    expect(stored.size).toBe(4)
  })

  it('tries again what was refused once, before it says that nothing works', async () => {
    const stored = new Map<string, Verdict>()
    const cache = {
      get: async (key: string) => stored.get(key),
      put: async (key: string, verdict: Verdict) => void stored.set(key, verdict),
    }
    const busy = [candidate('kvm', {}), candidate('emulation', {})]
    expect((await chooseMonitor({ clock }, busy, trial(), { cache })).isErr()).toBe(true)
    const own = trial()
    const idle = [candidate('kvm', {}), candidate('emulation')]
    const chosen = (await chooseMonitor({ clock }, idle, own, { cache }))._unsafeUnwrap()
    expect(chosen.considered).toMatchObject([
      { accelerator: 'kvm', verdict: 'refused' },
      { accelerator: 'emulation', verdict: 'works' },
    ])
    expect(own.prepared).toBe(2)
    // The new verdict has taken the place of the old one.
    expect((await chooseMonitor({ clock }, idle, own, { cache })).isOk()).toBe(true)
    expect(own.prepared).toBe(2)
  })

  it('remembers no refusal that says nothing about the monitor', async () => {
    const stored = new Map<string, Verdict>()
    const cache = {
      get: async (key: string) => stored.get(key),
      put: async (key: string, verdict: Verdict) => void stored.set(key, verdict),
    }
    const missing = candidate('kvm', { startup: () => ({ kind: 'missing' }) })
    const first = await chooseMonitor({ clock }, [missing, candidate('emulation')], trial(), { cache })
    expect(first._unsafeUnwrap().monitor.accelerator).toBe('emulation')
    expect(stored.size).toBe(1)
    const second = await chooseMonitor({ clock }, [candidate('kvm'), candidate('emulation')], trial(), {
      cache,
    })
    expect(second._unsafeUnwrap().monitor.accelerator).toBe('kvm')
  })

  it('says why no trial machine could be prepared', async () => {
    const full = { machine: () => Promise.reject(Object.assign(new Error('disk full'), { code: 'ENOSPC' })) }
    const error = (await chooseMonitor({ clock }, [candidate('emulation')], full))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'system', code: 'ENOSPC' })
    expect(error.message).toContain('disk full')
  })

  it('ends when it is aborted or its deadline passes, and leaves no trial behind', async () => {
    const own = trial()
    const hanging = [candidate('kvm', { startup: () => ({ kind: 'hangs' }) })]
    const patient = { ...own, firstLineMs: 60_000 }
    const aborted = await chooseMonitor({ clock }, hanging, patient, { signal: AbortSignal.timeout(30) })
    expect(aborted._unsafeUnwrapErr().kind).toBe('aborted')
    const late = await chooseMonitor({ clock }, hanging, patient, { deadlineMs: 30 })
    expect(late._unsafeUnwrapErr().kind).toBe('timed-out')
    expect([own.prepared, own.disposed]).toEqual([2, 2])
  })
})
