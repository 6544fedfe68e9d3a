import { absent, ask, bytes, closure, defineService, defineUnit, fromHost, rate } from '@spectrum/unit-graph'
import { describe, expect, it } from 'vitest'
import { recipeOf } from '../../src/disposable/template.js'
import { nameOf, StubHost } from './stub-host.js'

const store = closure('/nix/store/00000000000000000000000000000000-x')
const viewer = defineUnit('viewer', { store })
const Sign = defineService('test.sign', { request: bytes() })
const vault = defineUnit('vault', {
  store,
  provides: { sign: Sign.command(['/sign']) },
  needs: { log: Sign },
})
const signer = defineUnit('signer', { store, needs: { sign: Sign } })

describe('a disposable', () => {
  it('is there for the function, and gone before its result is', async () => {
    const host = new StubHost()
    const seen: string[] = []
    const done = await host.disposables.disposable(viewer, (unit, signal) => {
      seen.push(`${unit.name} ${unit.state} ${signal.aborted}`)
      return 7
    })
    expect(done._unsafeUnwrap()).toBe(7)
    expect(seen).toEqual(['viewer-1 running false'])
    expect(host.forgotten).toEqual(['viewer-1'])
    expect(host.alive).toEqual([])
  })

  it('is gone when the function throws, which is an error with what it threw', async () => {
    const host = new StubHost()
    for (const fn of [
      () => {
        throw new RangeError('no \x1b[31m')
      },
      async () => Promise.reject(new RangeError('no \x1b[31m')),
    ]) {
      const error = (await host.disposables.disposable(viewer, fn))._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'function-failed', cause: expect.any(RangeError) })
      expect(error.message).toContain('no \\x1b[31m')
    }
    expect(host.alive).toEqual([])
  })

  it('is gone as well when what the function throws cannot be put into words', async () => {
    const host = new StubHost()
    const wordless = Object.create(null)
    const done = host.disposables.disposable(viewer, () => {
      throw wordless
    })
    expect((await done)._unsafeUnwrapErr()).toMatchObject({ kind: 'function-failed', cause: wordless })
    expect(host.alive).toEqual([])
  })

  it('is taken away at once when the caller aborts; the function learns it and is not waited for', async () => {
    const host = new StubHost()
    const controller = new AbortController()
    let taken = false
    const done = host.disposables.disposable(
      viewer,
      (_, signal) => {
        signal.addEventListener('abort', () => {
          taken = true
        })
        controller.abort()
        return new Promise<never>(() => {})
      },
      { signal: controller.signal },
    )
    expect((await done)._unsafeUnwrapErr()).toMatchObject({ kind: 'aborted', unit: 'viewer-1' })
    expect(taken).toBe(true)
    expect(host.alive).toEqual([])
  })

  it('is taken away when its time is over', async () => {
    const host = new StubHost()
    const begun = new Promise<void>((resolve) => {
      const done = host.disposables.disposable(
        viewer,
        () => {
          resolve()
          return new Promise<never>(() => {})
        },
        { limitMs: 1000 },
      )
      void done.then((result) => {
        expect(result._unsafeUnwrapErr()).toMatchObject({ kind: 'timed-out', step: 'disposable' })
      })
    })
    await begun
    host.clock.advance(999)
    expect(host.alive).toHaveLength(1)
    host.clock.advance(1)
    await expect.poll(() => host.alive).toEqual([])
  })

  it('tells the function when the unit has ended by itself, and takes what it returns', async () => {
    const host = new StubHost()
    const done = host.disposables.disposable(viewer, async (_, signal) => {
      host.units[0]!.die()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return 'told'
    })
    expect((await done)._unsafeUnwrap()).toBe('told')
  })

  it('that cannot be ended is the error, whatever the function returned', async () => {
    const host = new StubHost({ refuses: (what) => what === 'stop' })
    const error = (await host.disposables.disposable(viewer, () => 'done'))._unsafeUnwrapErr()
    expect(error.message).toBe('viewer-1 does not stop')
  })

  it('is not begun for a caller that has aborted, nor handed out after its deadline', async () => {
    const host = new StubHost({ slow: true })
    const signal = AbortSignal.abort()
    const never = host.disposables.disposable(viewer, nameOf, { signal })
    host.go()
    expect((await never)._unsafeUnwrapErr().kind).toBe('aborted')
    const late = host.disposables.disposable(viewer, nameOf, { deadlineMs: 5 })
    host.clock.advance(5)
    host.go()
    expect((await late)._unsafeUnwrapErr()).toMatchObject({ kind: 'timed-out', step: 'disposable' })
    expect(host.units).toEqual([])
  })

  it('has a name of at most 32 characters that no other unit has', async () => {
    const host = new StubHost({ taken: ['viewer-1', 'viewer-2'] })
    expect((await host.disposables.disposable(viewer, nameOf))._unsafeUnwrap()).toBe('viewer-3')
    const long = defineUnit('abcdefghijklmnopqrstuvwxyz-12345', { store })
    expect((await host.disposables.disposable(long, nameOf))._unsafeUnwrap()).toBe(
      'abcdefghijklmnopqrstuvwxyz-123-4',
    )
  })
})

describe('a template', () => {
  const definitionOf = (name: string) => (name === 'vault' ? vault : undefined)
  const digestOf = (...[template, wires]: Parameters<typeof recipeOf>) =>
    recipeOf(template, wires, definitionOf)._unsafeUnwrap().digest
  const wires = { sign: vault.provides.sign.grant() }

  it('has a digest that says what its units are made of, and nothing else', () => {
    const [a, b] = ['1', '2'].map((digit) => `/nix/store/${digit.repeat(32)}-x`) as [string, string]
    const of = (...[name, options]: Parameters<typeof defineUnit>) =>
      digestOf(defineUnit(name, options), {}, definitionOf)
    const plain = of('viewer', { store: closure(a, b), memoryBytes: 2 ** 28, vcpuCount: 1 })
    expect(plain).toMatch(/^[0-9a-f]{64}$/)
    expect(of('viewer', { vcpuCount: 1, memoryBytes: 2 ** 28, store: closure(b, a) })).toBe(plain)
    const others = [
      of('viewer', { store: closure(a), memoryBytes: 2 ** 28, vcpuCount: 1 }),
      of('viewer', { store: closure(a, b), memoryBytes: 2 ** 29, vcpuCount: 1 }),
      of('viewer', { store: closure(a, b), memoryBytes: 2 ** 28, vcpuCount: 2 }),
      of('viewer', { store: closure(a, b), memoryBytes: 2 ** 28, vcpuCount: 1, hotplugSlots: 1 }),
      of('reader', { store: closure(a, b), memoryBytes: 2 ** 28, vcpuCount: 1 }),
    ]
    expect(new Set([plain, ...others]).size).toBe(6)
  })

  it('has another digest with every other grant', () => {
    const grants = [
      vault.provides.sign.grant(),
      vault.provides.sign.with(ask()),
      vault.provides.sign.with(rate(10, 'minute')),
      vault.provides.sign.with(rate(11, 'minute')),
      fromHost(Sign, 'sign'),
    ]
    expect(new Set(grants.map((sign) => digestOf(signer, { sign }, definitionOf))).size).toBe(5)
    expect(digestOf(signer, { sign: vault.provides.sign }, definitionOf)).toBe(
      digestOf(signer, wires, definitionOf),
    )
    const other = defineUnit('vault', { store, provides: { sign: Sign.command(['/other']) } })
    expect(recipeOf(signer, wires, () => other)._unsafeUnwrap().digest).not.toBe(
      digestOf(signer, wires, definitionOf),
    )
  })

  it('is refused with a wire to a unit that does not run, without a wire, or with one of another service', () => {
    const fault = (...given: Parameters<typeof recipeOf>) => recipeOf(...given)._unsafeUnwrapErr()
    expect(fault(signer, wires, () => undefined)).toMatchObject({
      kind: 'invalid-request',
      message: expect.stringContaining('"vault", which does not run'),
    })
    expect(fault(signer, {}, definitionOf)).toMatchObject({ kind: 'invalid-request' })
    expect(fault(signer, { sign: absent }, definitionOf).message).toContain('must be provided')
    const Other = defineService('test.other')
    expect(fault(signer, { sign: fromHost(Other, 'x') }, definitionOf).message).toContain('test.other')
    expect(fault(viewer, wires, definitionOf).message).toContain('no such need')
  })

  it.each([
    ['command', { command: ['/x'] }],
    ['restart', { restart: { when: 'always' } }],
    ['diesWith', { diesWith: ['vault'] }],
    ['start', { start: 'lazy' }],
  ] as const)('is refused with %s, which a disposable cannot have', (field, options) => {
    const template = defineUnit('viewer', { store, ...options })
    const error = recipeOf(template, {}, definitionOf)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'invalid-request', field })
  })
})
