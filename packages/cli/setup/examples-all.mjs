// npm run examples:all [-- NAME…]: every example without a person, one after the other; a line for each. A failure, and what
// the example said until then, is told at once; the others run all the same.
import { lastLines, run } from './commands.mjs'
import { findExamples, stepsFor } from './examples.mjs'
import { listenForInterruption } from './interruption.mjs'
import { setUp } from './steps.mjs'
import { typeScriptProgram } from './typescript-program.mjs'

// Five browsers on an emulated processor take a while; a program that hangs takes for ever.
const deadlineMs = 3_600_000

const examples = findExamples()
const names = process.argv.slice(2)
const unknown = names.filter((name) => !examples.some((one) => one.name === name))
if (unknown.length > 0) {
  process.stderr.write(`There is no example called ${unknown.join(', ')}.\n`)
  process.exitCode = 2
} else {
  process.exitCode = await runAll(names.length === 0 ? examples : examples.filter(isNamed))
}

function isNamed({ name }) {
  return names.includes(name)
}

async function runAll(wanted) {
  const write = (text) => process.stderr.write(text)
  const steps = [...new Map(wanted.flatMap(stepsFor).map((step) => [step.name, step])).values()]
  const status = await setUp({ steps, quiet: true, write })
  if (status !== 0) return status
  const interruption = listenForInterruption()
  const width = Math.max(...wanted.map(({ name }) => name.length))
  let failures = 0
  try {
    for (const example of wanted) {
      const { problem, said, seconds } = await runOne(example, interruption.signal)
      const verdict = problem === undefined ? 'ok    ' : 'FAILED'
      const took = `${seconds.toFixed(1)} s`.padStart(8)
      console.log(`${verdict}  ${example.name.padEnd(width)}  ${took}  ${problem ?? lastLines(said, 1)}`)
      if (problem === undefined) continue
      failures += 1
      console.log(lastLines(said, 40).replace(/^/gm, '    '))
    }
  } catch (error) {
    if (!interruption.signal.aborted) throw error
    console.log(`stopped by ${error.signalName}`)
    return 130
  } finally {
    interruption.close()
  }
  console.log(failures === 0 ? 'all examples run' : `${failures} of ${wanted.length} failed`)
  return failures === 0 ? 0 : 1
}

async function runOne({ program, unattended }, signal) {
  const began = performance.now()
  const { argv, env } = typeScriptProgram(program, unattended)
  // A host takes its units down in order when it is asked to.
  const options = { env, signal, deadlineMs, stopWith: 'SIGINT' }
  let outcome
  let problem
  try {
    outcome = await run(process.execPath, argv, options)
    if (outcome.code !== 0) problem = outcome.killedBy ?? `ended with status ${outcome.code}`
  } catch (error) {
    if (signal.aborted) throw error
    problem = error.message
    outcome = { stdout: '', both: error.detail ?? '' }
  }
  const said = problem === undefined ? outcome.stdout : outcome.both
  return { problem, said, seconds: (performance.now() - began) / 1000 }
}
