import { Interrupted, Problem } from './commands.mjs'
import { debianPackages, debianTestPackages, nixStore } from './debian.mjs'
import { foreignGuests } from './foreign-guests.mjs'
import { guestKernel } from './guest-kernel.mjs'
import { listenForInterruption } from './interruption.mjs'
import { labs } from './labs.mjs'
import { lockCheckout } from './lock.mjs'
import { nativeBuilds } from './native-builds.mjs'
import { npmDependencies } from './npm-dependencies.mjs'
import { root } from './places.mjs'
import { typescriptBuild } from './typescript-build.mjs'

/** Everything that running units from a checkout needs. */
export const runtimeSteps = [debianPackages, nixStore, guestKernel, npmDependencies, nativeBuilds]
/** … and everything that the tests need besides. */
export const testSteps = [...runtimeSteps, debianTestPackages, labs, foreignGuests]
export const allSteps = [...testSteps, typescriptBuild]

/**
 * Takes the steps in order; resolves with an exit status. Silent when nothing is missing and `quiet` is set.
 *
 * Each step finds out what is missing by looking, so an interrupted set-up continues where it was.
 */
export async function setUp({ steps = allSteps, checkOnly = false, quiet = false, write }) {
  const say = (line) => write(`${line}\n`)
  const interruption = listenForInterruption()
  const started = Date.now()
  let lock
  try {
    checkNode()
    if (!checkOnly)
      lock = await lockCheckout(root, {
        signal: interruption.signal,
        waiting: () => say('Set-up: waiting for another set-up of this checkout to finish'),
      })
    const count = await takeSteps(steps, { checkOnly, say, signal: interruption.signal })
    if (count === 0 && !quiet) say('Set-up: nothing is missing')
    if (count > 0 && !checkOnly) say(`Set-up: done in ${((Date.now() - started) / 1000).toFixed(1)} s`)
    return checkOnly && count > 0 ? 1 : 0
  } catch (error) {
    return report(error, say)
  } finally {
    interruption.close()
    await lock?.release()
  }
}

async function takeSteps(steps, { checkOnly, say, signal }) {
  let count = 0
  for (const step of steps) {
    const missing = step.missing()
    count += missing.length
    if (missing.length === 0) continue
    say(`Set-up: ${step.name}${checkOnly ? ' missing' : ''}`)
    for (const [why, what] of byReason(missing)) say(`  ${what.join(', ')}: ${why}`)
    if (!checkOnly) await step.install(missing, { signal, say })
    if (signal.aborted) throw signal.reason
  }
  return count
}

/** Things wanted for the same reason share a line. */
function byReason(missing) {
  const reasons = new Map()
  for (const { what, why } of missing) reasons.set(why, [...(reasons.get(why) ?? []), what])
  return reasons
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const supported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24
  if (!supported)
    throw new Problem(
      `Node ${process.versions.node} is not supported`,
      'use Node 20.19 or newer, 22.12 or newer, or 24',
    )
  if (process.platform !== 'linux') throw new Problem(`${process.platform} has no KVM`, 'use Linux')
}

function report(error, say) {
  if (error instanceof Interrupted) {
    say(`Set-up: stopped by ${error.signalName}; run it again to continue`)
    return { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[error.signalName] ?? 1
  }
  const problem = asProblem(error)
  if (problem.detail) say(problem.detail.replace(/^/gm, '    '))
  say(`Set-up failed: ${problem.message}`)
  say(`  Remedy: ${problem.remedy}`)
  return 1
}

function asProblem(error) {
  if (error instanceof Problem) return error
  if (error?.code === 'ENOSPC') return new Problem('The disk is full', 'free some space, then run this again')
  if (error?.code === 'EACCES' || error?.code === 'EROFS')
    return new Problem(error.message, 'make it writable for yourself, then run this again')
  throw error
}
