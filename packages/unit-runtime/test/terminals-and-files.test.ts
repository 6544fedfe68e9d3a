import type { FakeProcess } from '@spectrum/guest-agent/fake'
import { closure, compose, defineUnit, type Unit } from '@spectrum/unit-runtime'
import { openFakeHost } from '@spectrum/unit-runtime/fake'
import { expect, it } from 'vitest'

const path = `/nix/store/${'1'.repeat(32)}-shell`
const shell = `${path}/bin/shell`
const programs = {
  /** Says who it is and what its terminal is like, and each new size of that; ends with its input. */
  [shell]: async ({ terminal, user, stdin, stdout, onSignal }: FakeProcess) => {
    const say = () =>
      stdout.write(`${user.uid}:${user.gid} ${terminal?.size.rows}x${terminal?.size.columns}\n`)
    onSignal(28, () => void say())
    await say()
    for await (const line of stdin) await stdout.write(line)
    return 0
  },
}

async function withUnit(use: (unit: Unit) => Promise<void>): Promise<void> {
  await using host = (await openFakeHost({ store: { [path]: {} }, programs }))._unsafeUnwrap()
  const graph = compose({ one: defineUnit('one', { store: closure(path) }) })._unsafeUnwrap()
  await use((await host.start(graph))._unsafeUnwrap().one)
}

it('starts a command on a terminal, as a user, whose size can change', () =>
  withUnit(async (unit) => {
    const pty = { rows: 24, columns: 80 }
    const options = { pty, user: { uid: 1_000, gid: 100 }, stdin: 'open' } as const
    const process = (await unit.spawn([shell], options))._unsafeUnwrap()
    const shown = process.stdout[Symbol.asyncIterator]()
    const next = async () => String(Buffer.from((await shown.next()).value ?? []))
    expect(await next()).toBe('1000:100 24x80\r\n')
    ;(await process.resize({ rows: 50, columns: 132 }))._unsafeUnwrap()
    expect(await next()).toBe('1000:100 50x132\r\n')
    await process.stdin?.end()
    expect(await process.outcome).toEqual({ kind: 'exited', code: 0 })
    const again = (await unit.spawn([shell], { pty, stdin: 'open' }))._unsafeUnwrap()
    ;(await again.hangUp())._unsafeUnwrap()
    expect(await again.outcome).toMatchObject({ kind: 'signalled', signal: 'SIGHUP' })
  }))

it('runs a command to its end as a user', () =>
  withUnit(async (unit) => {
    const { stdout } = (await unit.exec([shell], { user: { uid: 7, gid: 8 } }))._unsafeUnwrap()
    expect(String(Buffer.from(stdout))).toBe('7:8 undefinedxundefined\n')
  }))

it('puts files into a unit and gets them back, or says why not', () =>
  withUnit(async (unit) => {
    const content = new Uint8Array(300_000).fill(7)
    ;(await unit.files.put({ below: '/home', path: 'notes', mode: 0o600 }, content))._unsafeUnwrap()
    const file = (await unit.files.get({ path: '/home/notes' }))._unsafeUnwrap()
    expect([file.size, file.mode]).toEqual([300_000, 0o600])
    const chunks: Uint8Array[] = []
    for await (const chunk of file.content) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
    expect((await file.ended).isOk()).toBe(true)
    const error = (await unit.files.put({ path: '/nix/store/x' }, content))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'agent-failed', cause: { kind: 'file-failed', reason: 'read-only' } })
    await unit.stop()
    expect((await unit.files.get({ path: '/home/notes' })).isErr()).toBe(true)
  }))
