import { type FakeProgram, openFakeHost } from '@spectrum/unit-runtime/fake'
import { expect, it } from 'vitest'
import { helloUnit } from '../src/hello-unit.js'

const hello = '/nix/store/11111111111111111111111111111111-hello'
const libc = '/nix/store/22222222222222222222222222222222-libc'
const other = '/nix/store/33333333333333333333333333333333-other'
const store = { [hello]: { references: [libc] }, [libc]: {}, [other]: {} }

const greet: FakeProgram = async ({ argv, stdout }) => {
  await stdout.write(`hello, ${argv[1]}\n`)
  return 3
}
const open = async () =>
  (
    await openFakeHost({ store, programs: { [`${hello}/bin/hello`]: greet, [`${other}/bin/other`]: greet } })
  )._unsafeUnwrap()

it('runs the program in a unit, and gives what it wrote and how it ended', async () => {
  await using host = await open()
  const { outcome, stdout } = (await helloUnit(host, [`${hello}/bin/hello`, 'unit']))._unsafeUnwrap()
  expect(new TextDecoder().decode(stdout)).toBe('hello, unit\n')
  expect(outcome).toEqual({ kind: 'exited', code: 3 })
})

it('grants the unit the closure of the program and nothing else', async () => {
  await using host = await open()
  await helloUnit(host, [`${hello}/bin/hello`, 'unit'])
  const unit = host.units.get('hello')
  expect(unit?.closure.paths.map(({ path }) => path)).toEqual([hello, libc])
  expect((await unit!.exec([`${other}/bin/other`, 'unit']))._unsafeUnwrap().outcome.kind).toBe('not-started')
})

it('says what is wrong with a program that is in no store path', async () => {
  await using host = await open()
  expect((await helloUnit(host, ['/usr/bin/env']))._unsafeUnwrapErr().message).toContain('/usr/bin/env')
})
