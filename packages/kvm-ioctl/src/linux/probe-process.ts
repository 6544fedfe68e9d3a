// The probing process: runs the tiny guest and says on standard output what it is about to do, line by line, so
// that whoever waits knows where it hung. Lines are written synchronously, before each step.
import { writeSync } from 'node:fs'
import { runTinyGuest } from '../tiny-guest.js'
import { loadKvmCalls } from './native.js'

/** A last resort, should the parent's deadline not reach this process. */
const MOST_SECONDS = 60

const say = (line: object) => writeSync(1, `${JSON.stringify(line)}\n`)
const calls = loadKvmCalls()
calls.endWithParentOrAfter(MOST_SECONDS)
say({ found: runTinyGuest(calls, (step) => say({ step })) })
