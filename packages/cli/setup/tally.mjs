/** Counts of several runs, printed so that nothing skipped or failed goes unnamed. */
export class Totals {
  passed = 0
  failures = []
  skips = []

  add(label, tally) {
    this.passed += tally.passed
    this.failures.push(...tally.failures.map((one) => ({ label, ...one })))
    this.skips.push(...tally.skips.map((one) => ({ label, ...one })))
  }

  /** A check that is not a test of its own counts as one. */
  addCheck(label, complaint) {
    if (complaint === undefined) this.passed++
    else this.failures.push({ label, file: '', name: complaint })
  }

  /** A whole file of tests that was left out on purpose. */
  addSkip(label, file, way) {
    this.skips.push({ label, file, name: 'takes minutes, or needs what few machines have', reason: way })
  }

  /** The last line stands alone and is plain: machines read it. */
  print(write) {
    const where = (one) => [one.label, one.file].filter(Boolean).join(', ')
    for (const one of this.skips)
      write(`skipped: ${one.name} [${where(one)}]: ${one.reason ?? 'NO REASON GIVEN'}\n`)
    for (const one of this.failures)
      write(`failed: ${one.name} [${where(one)}]${one.reason ? `: ${one.reason}` : ''}\n`)
    const skipped = this.skips.length > 0 ? `, ${this.skips.length} skipped` : ''
    write(`${this.passed} passed, ${this.failures.length} failed${skipped}\n`)
  }

  get exitStatus() {
    return this.failures.length === 0 ? 0 : 1
  }
}
