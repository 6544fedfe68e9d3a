import { writeFileSync } from 'node:fs'

/**
 * A vitest reporter that writes what a final count needs, and why each skipped test was skipped, to the file
 * named by SPECTRUM_TALLY. Vitest's own JSON report leaves the reasons out.
 */
export default class Tally {
  onTestRunEnd(modules, unhandledErrors) {
    const tally = { passed: 0, failures: [], skips: [] }
    for (const module of modules) {
      const errors = [...module.errors()]
      let tests = 0
      for (const suite of module.children.allSuites()) errors.push(...suite.errors())
      for (const test of module.children.allTests()) {
        tests++
        const { state, note } = test.result()
        if (state === 'passed') tally.passed++
        else if (state === 'skipped')
          tally.skips.push({
            file: module.relativeModuleId,
            name: test.fullName,
            reason: note ?? reasonInName(test.fullName),
          })
        else tally.failures.push({ file: module.relativeModuleId, name: test.fullName })
      }
      // A file that could not be loaded has no tests to fail in its stead.
      if (errors.length > 0 || tests === 0)
        tally.failures.push({ file: module.relativeModuleId, name: errors[0]?.message ?? 'has no tests' })
    }
    for (const error of unhandledErrors)
      tally.failures.push({ file: '', name: `unhandled: ${error.message}` })
    writeFileSync(process.env.SPECTRUM_TALLY, JSON.stringify(tally))
  }
}

// `test.skipIf(…)('reads a page (skipped: no /dev/kvm)')` is the other way to say why.
const reasonInName = (name) => /\(skipped(?: where| if|:)? ([^)]+)\)/.exec(name)?.[1]
