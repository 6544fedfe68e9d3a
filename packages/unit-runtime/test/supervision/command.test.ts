import { closure, compose, defineUnit, type RestartPolicy } from '@spectrum/unit-runtime'
import type { FakeProgram } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import { forever, program, settle, watchedHost } from './watched-host.js'

const argv = [`${program}/bin/serve`, '--all'] as const
const graphOf = (restart?: RestartPolicy) =>
  compose({ unit: defineUnit('unit', { store: closure(program), command: argv, restart }) })._unsafeUnwrap()
const running = (serve: FakeProgram) => watchedHost({ programs: { [argv[0]]: serve } })

describe('the command of a unit', () => {
  it('is started when the unit is up, before it counts as running, with its arguments and nothing else', async () => {
    const seen: unknown[] = []
    await using watched = await running((process) => {
      seen.push(process.argv, process.env, watched.history())
      return forever(process)
    })
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    expect(seen).toEqual([argv, {}, ['unit starting']])
    expect(unit.command).toEqual({ argv, state: 'running' })
    expect(unit.state).toBe('running')
  })

  it('has its output in the log of the unit, escaped', async () => {
    await using watched = await running(async ({ stdout, stderr, killed }) => {
      await stdout.write('ready\nred \x1b[31m\n')
      await stderr.write('careful')
      await new Promise((resolve) => killed.addEventListener('abort', resolve))
      return 0
    })
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    const said = async () => {
      const lines: string[] = []
      for await (const { source, text } of unit.logs())
        if (source === 'stdout' || source === 'stderr') lines.push(`${source} ${text}`)
      return lines
    }
    await expect.poll(said).toEqual(['stdout ready', 'stdout red \\x1b[31m'])
    await unit.stop({ graceMs: 0 })
    // What had no line feed is a line when the stream ends.
    await expect.poll(said).toContain('stderr careful')
  })

  it('ends the unit with it: well with exit code 0', async () => {
    await using watched = await running(() => 0)
    const { unit } = (await watched.host.start(graphOf({ when: 'on-failure' })))._unsafeUnwrap()
    const end = await unit.ended
    expect(end).toMatchObject({
      state: 'stopped',
      graceful: true,
      command: { kind: 'exited', code: 0 },
      why: 'The command of unit "unit" exited with 0.',
    })
    expect(unit.command).toEqual({ argv, state: 'ended', outcome: { kind: 'exited', code: 0 } })
    expect(watched.history().slice(-2)).toEqual(['unit stopping', 'unit stopped'])
  })

  it.each<[string, FakeProgram, string]>([
    ['an exit code', () => 7, 'exited with 7'],
    ['a signal', () => ({ signal: 11 }), 'ended by SIGSEGV'],
    ['the guest’s lack of memory', () => 'oom', 'no memory left'],
  ])('is a failure of the unit when it ends by %s', async (_, serve, why) => {
    await using watched = await running(serve)
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    expect(await unit.ended).toMatchObject({ state: 'failed', why: expect.stringContaining(why) })
  })

  it('is started again in a fresh machine, as the policy says', async () => {
    const codes = [1, 0]
    await using watched = await running(() => codes.shift()!)
    const told: unknown[] = []
    watched.events.on('command', (event) => told.push(event.kind))
    const { unit } = (await watched.host.start(graphOf({ when: 'on-failure', backoffMs: 9 })))._unsafeUnwrap()
    expect((await watched.reached('unit', 'backing-off')).why).toContain('exited with 1')
    await settle()
    watched.clock.advance(9)
    expect(await unit.ended).toMatchObject({ state: 'stopped', command: { code: 0 } })
    expect(watched.machines('unit')).toBe(2)
    expect(told).toEqual(['started', 'ended', 'started', 'ended'])
  })

  it('that cannot be started fails the start of its graph, and leaves nothing', async () => {
    await using watched = await watchedHost()
    const error = (await watched.host.start(graphOf()))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'command-not-started', unit: 'unit', reason: 'not-found' })
    expect(watched.history()).toEqual(['unit starting', 'unit failed'])
    expect(watched.guest('unit').ended.aborted).toBe(true)
  })

  it('is not asked after when its unit is stopped', async () => {
    await using watched = await running(forever)
    const { unit } = (await watched.host.start(graphOf({ when: 'always' })))._unsafeUnwrap()
    const end = (await unit.stop())._unsafeUnwrap()
    expect(end.state).toBe('stopped')
    expect(end.command).toBeUndefined()
    await settle()
    watched.clock.advance(100_000)
    await settle()
    expect(watched.machines('unit')).toBe(1)
  })
})
