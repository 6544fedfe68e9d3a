import type { MachineExit } from '../machine.js'
import { digest, GuestTalk, pattern } from './guest-talk.js'
import type { Suite } from './suite.js'

const MIB = 1024 * 1024
/** The part of the time for a boot in which a guest that is not held still answers. */
const STILL = 1 / 40

/** From its start to its end, in order or not. */
export function promisesOfLife({ promise, started, booted, expect }: Suite): void {
  promise('start connects the control channel and the guest answers on it', async (context) => {
    await using unit = await booted(context, await context.machine({ name: 'answering' }))
    expect(unit.machine.name).toBe('answering')
    expect(unit.machine.processes.every(({ pid }) => Number.isInteger(pid) && pid > 1)).toBe(true)
  })

  promise('bytes go both ways byte-exact, one and one mebibyte of them', async (context) => {
    await using unit = await booted(context, await context.machine())
    for (const length of [1, 4096, 65_537, MIB]) {
      const sent = pattern(length)
      const returned = unit.guest.echo(sent)
      expect(digest(await returned)).toBe(digest(sent))
    }
  })

  promise('bytes sent before the guest has booted are kept for it', async (context) => {
    await using machine = await started(context, await context.machine())
    const guest = new GuestTalk(machine.control, context.clock, context.bootMs)
    await guest.send('echo 5\nearly')
    expect(await guest.line()).toBe('ready')
    expect(new TextDecoder().decode(await guest.take(5))).toBe('early')
  })

  promise('a machine that dies at start is an error with its last lines', async (context) => {
    const result = await context.monitor.start(await context.dyingMachine())
    const error = result.isErr() ? result.error : undefined
    expect(error?.kind).toBe('monitor-died')
    expect(error?.kind === 'monitor-died' && error.lastLines.length > 0).toBe(true)
  })

  promise('a guest that powers off has exited as powered-off, once', async (context) => {
    const unit = await booted(context, await context.machine())
    const seen: MachineExit[] = []
    unit.machine.events.on('exit', (exit) => seen.push(exit))
    await unit.guest.send('off\n')
    expect(await unit.machine.exit).toEqual({ kind: 'powered-off' })
    expect(await unit.guest.ended()).toBe(true)
    const again = await unit.machine.kill()
    expect(again.isOk() && again.value).toEqual({ kind: 'powered-off' })
    await unit[Symbol.asyncDispose]()
    expect(seen).toEqual([{ kind: 'powered-off' }])
  })

  promise('a guest that panics has failed', async (context) => {
    await using unit = await booted(context, await context.machine())
    await unit.guest.send('crash\n')
    const exit = await unit.machine.exit
    expect(exit.kind).toBe('failed')
    const reason = exit.kind === 'failed' ? exit.reason : ''
    expect(['guest-reset', 'guest-panicked'].includes(reason)).toBe(true)
  })

  promise('kill ends a machine whose guest hangs, is idempotent, and ends the channel', async (context) => {
    const unit = await booted(context, await context.machine())
    await unit.guest.send('hang\n')
    const kills = await Promise.all([unit.machine.kill(), unit.machine.kill()])
    expect(kills.map((kill) => kill.isOk() && kill.value)).toEqual([{ kind: 'killed' }, { kind: 'killed' }])
    const later = await unit.machine.kill()
    expect(later.isOk() && later.value).toEqual({ kind: 'killed' })
    expect(await unit.machine.exit).toEqual({ kind: 'killed' })
    expect(await unit.guest.ended()).toBe(true)
    const refused = await unit.machine.control.write(Uint8Array.of(1)).then(
      () => false,
      () => true,
    )
    expect(refused).toBe(true)
  })

  promise(
    'a paused machine keeps still until it is resumed, then goes on where it stood, and can be killed',
    async (context) => {
      const { pause } = context.monitor.capabilities
      await using unit = await booted(context, await context.machine())
      const { machine, guest } = unit
      expect(machine.pause !== undefined && machine.resume !== undefined).toBe(pause)
      if (!pause) return
      const done = async (what: 'pause' | 'resume') => {
        const told = await machine[what]?.()
        expect(told?.isErr() ? told.error : what).toBe(what)
      }
      await done('pause')
      await done('pause')
      const sent = pattern(4096)
      let answered = false
      const returned = guest.echo(sent).finally(() => {
        answered = true
      })
      using moment = context.clock.deadline(Math.min(500, context.bootMs * STILL))
      if (!moment.signal.aborted)
        await new Promise((resolve) => moment.signal.addEventListener('abort', resolve, { once: true }))
      expect(answered).toBe(false)
      await done('resume')
      await done('resume')
      expect(digest(await returned)).toBe(digest(sent))
      // It dies as well while it stands still, and neither is possible afterwards.
      await done('pause')
      const killed = await machine.kill()
      expect(killed.isOk() && killed.value).toEqual({ kind: 'killed' })
      expect((await machine.pause?.())?.isErr()).toBe(true)
      expect((await machine.resume?.())?.isErr()).toBe(true)
    },
  )

  promise('disposing a machine that still boots kills it', async (context) => {
    const machine = await started(context, await context.machine())
    await machine[Symbol.asyncDispose]()
    expect(await machine.exit).toEqual({ kind: 'killed' })
  })

  promise('a start that is aborted at any moment leaves nothing', async (context) => {
    for (const afterMs of [0, 1, 5, 20, 50, 100]) {
      const description = await context.machine()
      using moment = context.clock.deadline(afterMs)
      const result = await context.monitor.start(description, { signal: moment.signal })
      if (result.isOk()) await result.value.kill()
      else expect(result.error.kind).toBe('aborted')
      expect(await context.leftovers()).toEqual([])
    }
    const result = await context.monitor.start(await context.machine(), { signal: AbortSignal.abort() })
    expect(result.isErr() && result.error.kind).toBe('aborted')
  })

  promise('two machines run at the same time without seeing each other', async (context) => {
    const descriptions = [
      await context.machine({ name: 'left' }),
      await context.machine({ name: 'right', pmem: [await context.pmem(2 * MIB)] }),
    ] as const
    await using left = await booted(context, descriptions[0])
    await using right = await booted(context, descriptions[1])
    expect(await left.guest.pmem()).toEqual([])
    await right.guest.until(async () => (await right.guest.pmem()).length === 1)
    expect(await right.guest.pmem()).toEqual([2 * MIB])
    await left.machine.kill()
    expect(digest(await right.guest.echo(pattern(100)))).toBe(digest(pattern(100)))
  })
}
