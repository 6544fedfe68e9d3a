/**
 * A host program that kills itself with SIGKILL at a given moment of its life. Run by `sigkill.test.ts`.
 * Arguments, as one JSON object: `{ stateDirectory, cacheDirectory?, program, tool, injection?, dieAt, nth? }`.
 * `dieAt` is the name of a step, `record:NAME` for a journal record, or `running` to wait to be killed.
 */
import { closure, compose, defineUnit, newHostEmitter, nixStore, openHost } from '../../src/index.js'

interface Orders {
  readonly stateDirectory: string
  readonly cacheDirectory?: string
  readonly program: string
  readonly tool: string
  readonly dieAt: string
  /** How software is added to the unit. */
  readonly injection?: 'devices' | 'view'
  /** The how manieth time; the first by default. */
  readonly nth?: number
}

const orders: Orders = JSON.parse(process.argv[2]!)
const { stateDirectory, cacheDirectory, program, tool, injection, dieAt, nth = 1 } = orders
let left = nth

function reached(moment: string): void {
  if (moment !== dieAt) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}

const events = newHostEmitter()
events.on('journal', ({ record }) => reached(`record:${record}`))
events.on('step', ({ step }) => reached(step))

const places = { stateDirectory, cacheDirectory }
const host = (await openHost({ store: nixStore(), injection, ...places, events }))._unsafeUnwrap()
const graph = compose({ left: defineUnit('left', { store: closure(program) }) })._unsafeUnwrap()
const { left: unit } = (await host.start(graph))._unsafeUnwrap()
if (dieAt === 'running') {
  process.stdout.write('running\n')
  await new Promise((resolve) => setTimeout(resolve, 600_000))
}
;(await unit.inject(closure(tool)))._unsafeUnwrap()
;(await unit.revoke(closure(tool)))._unsafeUnwrap()
;(await host.stop())._unsafeUnwrap()
process.stdout.write(`was never at ${dieAt}\n`)
