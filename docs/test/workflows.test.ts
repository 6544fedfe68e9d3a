import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from './blocks.js'

const folder = join(root, '.github/workflows')
const workflows = readdirSync(folder).map((name) => ({
  name,
  text: readFileSync(join(folder, name), 'utf8'),
}))

/** The jobs of a workflow, each as its text. */
const jobsOf = (text: string) =>
  text
    .slice(text.indexOf('\njobs:\n') + 7)
    .split(/^(?= {2}[\w-]+:$)/m)
    .filter((job) => /^ {2}[\w-]+:$/m.test(job))

describe('a workflow', () => {
  it.each(workflows)('$name has rights for single jobs only, and each job an end', ({ text }) => {
    expect(text).toMatch(/^permissions: \{\}$/m)
    const jobs = jobsOf(text)
    expect(jobs.length).toBeGreaterThan(0)
    for (const job of jobs) {
      expect(job).toMatch(/^ {4}permissions:/m)
      expect(job).toMatch(/^ {4}timeout-minutes: \d+$/m)
    }
  })

  it.each(workflows)('$name names actions by their commit, with the version for people', ({ text }) => {
    const uses = text.split('\n').filter((line) => /^ *(- )?uses:/.test(line))
    expect(uses.length).toBeGreaterThan(0)
    expect(uses.filter((line) => !/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual(
      [],
    )
  })

  it('publishes in a job that is agreed to, and gets its token nowhere else', () => {
    const withToken = workflows
      .flatMap(({ text }) => jobsOf(text))
      .filter((job) => job.includes('id-token: write'))
    expect(withToken).toHaveLength(1)
    expect(withToken[0]).toMatch(/^ {4}environment: npm$/m)
    // Nothing that is installed runs beside the token.
    expect(withToken[0]).not.toMatch(/npm (ci|install|run)|npx/)
  })

  it.each(workflows)('$name runs scripts that there are', ({ text }) => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const named = [...text.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, script]) => script!)
    expect(named.filter((script) => !Object.hasOwn(scripts, script))).toEqual([])
    for (const [, file] of text.matchAll(/(?:node|run --|run:) ((?:packages|docs|\.ci)\/[\w./-]+)/g))
      expect(() => readFileSync(join(root, file!)), file).not.toThrow()
  })
})
