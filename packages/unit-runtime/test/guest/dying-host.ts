/**
 * A host program that kills itself with SIGKILL at a given moment of its life. Run by `sigkill.test.ts`.
 * Arguments, as one JSON object: `{ stateDirectory, cacheDirectory?, program, tool, injection?, supervised?, dieAt, nth? }`.
 * `dieAt` is the name of a step, `record:NAME` for a journal record, or `running` to wait to be killed.
 */
import {
  closure,
  compose,
  defineService,
  defineUnit,
  newHostEmitter,
  nixStore,
  openHost,
} from '../../src/index.js'

interface Orders {
  readonly stateDirectory: string
  readonly cacheDirectory?: string
  readonly program: string
  readonly tool: string
  readonly dieAt: string
  /** How software is added to the unit. */
  readonly injection?: 'devices' | 'view'
  /** Its unit comes again, because its monitor is killed; or is started by hand from its sleep. */
  readonly supervised?: 'restart' | 'lazy'
  /** The how manieth time; the first by default. */
  readonly nth?: number
}

const orders: Orders = JSON.parse(process.argv[2]!)
const { stateDirectory, cacheDirectory, program, tool, injection, supervised, dieAt, nth = 1 } = orders
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
const { left: unit } = (await host.start(supervised === 'lazy' ? sleeping() : awake()))._unsafeUnwrap()
if (supervised === 'restart') process.kill(unit.processes[0]!.pid, 'SIGKILL')
if (supervised !== undefined) {
  while (supervised === 'restart' && unit.restarts === 0) await turn()
  ;(await unit.start())._unsafeUnwrap()
}
if (dieAt === 'running') {
  process.stdout.write('running\n')
  await new Promise((resolve) => setTimeout(resolve, 600_000))
}
;(await unit.inject(closure(tool)))._unsafeUnwrap()
;(await unit.revoke(closure(tool)))._unsafeUnwrap()
;(await host.stop())._unsafeUnwrap()
process.stdout.write(`was never at ${dieAt}\n`)

function awake() {
  const restart = { when: 'always', backoffMs: 1 } as const
  return compose({ left: defineUnit('left', { store: closure(program), restart }) })._unsafeUnwrap()
}

/** Two units that may call each other, of which neither has begun. */
function sleeping() {
  const Ping = defineService('test.ping')
  const both = {
    store: closure(program),
    start: 'lazy',
    needs: { other: Ping },
    provides: { ping: Ping.socket('/run/ping') },
  } as const
  const left = defineUnit('left', both)
  const right = defineUnit('right', both)
  return compose({ left, right })
    .wire({
      left: { other: right.provides.ping.weak() },
      right: { other: left.provides.ping.weak() },
    })
    ._unsafeUnwrap()
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}
