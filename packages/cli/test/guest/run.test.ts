import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, type ExpectStatic, it } from 'vitest'
import { build, digest, nothing, Place } from './command-line.js'

let closure: string
const places: Place[] = []
/** Where no test is. Each has the command as one file, which takes as long to make as a short test. */
const idle: Place[] = []

beforeAll(async () => {
  closure = await build('act.nix')
})
afterAll(() => Promise.all(places.map(({ path }) => rm(path, { recursive: true, force: true }))))

/** Two units boot at a time, one for each processor. */
const inPlace =
  (body: (place: Place, expect: ExpectStatic) => Promise<void>) =>
  async ({ expect }: { readonly expect: ExpectStatic }) => {
    const place = idle.pop() ?? (await Place.make('spectrum-run-'))
    if (!places.includes(place)) places.push(place)
    try {
      await body(place, expect)
    } finally {
      place.killAll()
    }
    await expect.poll(() => place.leftovers()).toEqual(nothing)
    // Where a test has failed, no other one comes.
    idle.push(place)
  }

const act = (options: readonly string[], ...argv: string[]) => [
  ...['run', '--closure', closure, ...options, '--'],
  ...[`${closure}/bin/act`, ...argv],
]
const start = (place: Place, ...words: string[]) => place.start([...place.spectrum, ...words])

/** `length` bytes of what `act pattern` writes. */
function pattern(length: number): Buffer {
  const block = Buffer.from(Uint8Array.from({ length: 65_536 }, (_, at) => at * 167 + (at >> 8)))
  return Buffer.concat(Array(Math.ceil(length / block.length)).fill(block)).subarray(0, length)
}

// Each boots a unit, which costs seconds under emulation: what fakes can show is shown with fakes.
describe.concurrent('spectrum run in a real unit', () => {
  it(
    'answers with the status of the command, its two streams apart, its environment as granted',
    inPlace(async (place, expect) => {
      expect(await place.run(act(['--env', 'A=1', '--env', 'B=x=y'], 'report', '42'))).toEqual({
        status: 42,
        complaint: 'to standard error\n',
        out: Buffer.from('A=1\nB=x=y\n'),
      })
    }),
  )

  it(
    'answers 127 for a command that is not in the unit',
    inPlace(async (place, expect) => {
      const absent = `${closure}/bin/absent`
      const { status, complaint } = await place.run(['run', '--closure', closure, '--', absent])
      expect(status).toBe(127)
      expect(complaint).toContain(absent)
    }),
  )

  it(
    'passes every byte in and out, also to a reader that stalls',
    inPlace(async (place, expect) => {
      const input = pattern(1024 * 1024 + 1)
      const { child, finished } = start(place, ...act(['-i'], 'copy'))
      child.stdin.end(input)
      await once(child.stdout, 'data')
      child.stdout.pause()
      // Pipes and credits are full long before the reader goes on.
      await sleep(2_000)
      expect(child.exitCode).toBeNull()
      child.stdout.resume()
      const { status, out } = await finished
      expect(status).toBe(0)
      expect(digest(out)).toBe(digest(input))
    }),
  )

  it(
    'ends the command when nobody reads any more',
    inPlace(async (place, expect) => {
      const { child, finished } = start(place, ...act([], 'pattern', '50000000'))
      await once(child.stdout, 'data')
      child.stdout.destroy()
      expect((await finished).status).toBe(141)
    }),
  )

  it(
    'refuses what is not a store path, with 125',
    inPlace(async (place, expect) => {
      const { status, complaint } = await place.run(['run', '--closure', '/usr', '--', '/bin/x'])
      expect(status).toBe(125)
      expect(complaint).toMatch(/^spectrum: .*\/usr/)
    }),
  )

  it(
    'leaves nothing after Ctrl-C while the command runs',
    inPlace(async (place, expect) => {
      const { child, finished } = start(place, ...act([], 'stay'))
      await once(child.stdout, 'data')
      process.kill(-child.pid!, 'SIGINT')
      expect(await finished).toMatchObject({ status: 130, complaint: '' })
    }),
  )

  it.for([200, 1_000, 2_000, 4_000])('leaves nothing after Ctrl-C %i ms from the start', (ms, context) =>
    inPlace(async (place, expect) => {
      const { child, finished } = start(place, ...act([], 'stay'))
      await sleep(ms)
      process.kill(-child.pid!, 'SIGINT')
      // In the first moments Node itself has not come up yet, and the signal ends it as it ends any program.
      expect([130, 'SIGINT']).toContain((await finished).status)
    })(context),
  )
})
