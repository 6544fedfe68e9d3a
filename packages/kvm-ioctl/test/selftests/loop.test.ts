import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Vcpu } from '../../src/index.js'
import { withGuest } from './guest.js'

/** `out 0x80, al; again`: an exit every few microseconds, for ever. */
const OUT_FOREVER = [0xe6, 0x80, 0xeb, 0xfc]
const EXITS = 3_000
/** Of two guests, between two turns of the event loop. */
const MOST_IN_A_TURN = 200
/** A guest that starved everything would starve the test's deadline, too: it ends after so many exits. */
const MOST_EXITS = 100_000

const resumed = (exit: object) => ('resume' in exit ? (exit as { resume(): never }).resume() : undefined)

const WAYS: Readonly<Record<string, (vcpu: Vcpu, goesOn: () => boolean) => Promise<unknown>>> = {
  'at once': async (vcpu, goesOn) => vcpu.loop((exit) => (goesOn() ? resumed(exit) : undefined)),
  'by a promise that is kept at once': async (vcpu, goesOn) =>
    vcpu.loop(async (exit) => (goesOn() ? resumed(exit) : undefined)),
  'one run after the other': async (vcpu, goesOn) => {
    for (let next = vcpu.ready; goesOn(); ) next = resumed((await vcpu.runAsync(next))._unsafeUnwrap())!
  },
}

describe('a guest that exits for ever', () => {
  test.for(Object.keys(WAYS))('leaves everything else its turn when it goes on %s', (way, context) =>
    withGuest(context, OUT_FOREVER, {}, (first) =>
      withGuest(context, OUT_FOREVER, {}, async (second) => {
        let [over, exits, before, most] = [false, 0, 0, 0]
        const goesOn = () => {
          exits += 1
          return !over && exits < MOST_EXITS
        }
        const both = Promise.all([first, second].map(({ vcpu }) => WAYS[way]!(vcpu, goesOn)))
        while (exits < EXITS) {
          await new Promise((resolve) => setImmediate(resolve))
          most = Math.max(most, exits - before)
          before = exits
        }
        await new Promise((resolve) => setTimeout(resolve, 1))
        await readFile(fileURLToPath(import.meta.url))
        over = true
        await both
        expect(most).toBeLessThan(MOST_IN_A_TURN)
        expect(exits).toBeLessThan(MOST_EXITS)
      }),
    ),
  )
})
