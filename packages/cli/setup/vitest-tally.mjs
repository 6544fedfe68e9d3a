import { writeFileSync } from 'node:fs'

/**
 * A vitest reporter that writes what a final count needs, and why each skipped test was skipped, to the file
 * named by SPECTRUM_TALLY. Vitest's own JSON report leaves the reasons out. Written after every file of tests,
 * so that a run that is ended from outside says what it did, and which files it was at.
 */
export default class Tally {
  #modules = new Map()
  #unfinished = new Set()

  onTestModuleStart(module) {
    this.#unfinished.add(module.relativeModuleId)
    this.#write()
  }

  onTestModuleEnd(module) {
    this.#unfinished.delete(module.relativeModuleId)
    this.#modules.set(module.id, tallyOf(module))
    this.#write()
  }

  onTestRunEnd(modules, unhandledErrors) {
    this.#unfinished.clear()
    for (const module of modules) this.#modules.set(module.id, tallyOf(module))
    this.#write(unhandledErrors.map((error) => ({ file: '', name: `unhandled: ${error.message}` })))
  }

  #write(errors = []) {
    const tallies = [...this.#modules.values()]
    const unfinished = [...this.#unfinished].map((file) => ({ file, name: 'did not finish' }))
    const tally = {
      passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
      failures: [...tallies.flatMap(({ failures }) => failures), ...unfinished, ...errors],
      skips: tallies.flatMap(({ skips }) => skips),
    }
    writeFileSync(process.env.SPECTRUM_TALLY, JSON.stringify(tally))
  }
}

function tallyOf(module) {
  const tally = { passed: 0, failures: [], skips: [] }
  const file = module.relativeModuleId
  const errors = [...module.errors()]
  let tests = 0
  for (const suite of module.children.allSuites()) errors.push(...suite.errors())
  for (const test of module.children.allTests()) {
    tests++
    const { state, note, errors: reasons = [] } = test.result()
    if (state === 'passed') tally.passed++
    else if (state === 'skipped')
      tally.skips.push({ file, name: test.fullName, reason: note ?? reasonInName(test.fullName) })
    else tally.failures.push({ file, name: test.fullName, reason: firstLine(reasons[0]?.message) })
  }
  // A file that could not be loaded has no tests to fail in its stead.
  if (errors.length > 0 || tests === 0)
    tally.failures.push({ file, name: errors[0]?.message ?? 'has no tests' })
  return tally
}

// The count comes last, and may be all that is kept of a run: a name alone would not say what to look for.
const firstLine = (message) => message?.split('\n', 1)[0].slice(0, 300)

// `test.skipIf(…)('reads a page (skipped: no /dev/kvm)')` is the other way to say why.
const reasonInName = (name) => /\(skipped(?: where| if|:)? ([^)]+)\)/.exec(name)?.[1]
