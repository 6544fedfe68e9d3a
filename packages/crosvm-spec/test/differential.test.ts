/**
 * crosvm's own parser and this package's, on the same nearly right command lines: whatever crosvm parses is a machine,
 * or is refused as one with a reason; whatever it refuses is refused.
 *
 * CROSVM_SPEC_ORACLE=5000 judges that many machines' lines; CROSVM_SPEC_RECORD=1 writes the table anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { absentOptions, crosvmSpec, parseArgv, parseHelp } from '../src/index.js'
import { each, findCrosvm, judge, NO_KERNEL, runHelp, type Verdict } from './crosvm-binary.js'
import { machines } from './machines.js'
import { nearMisses } from './mutations.js'

const table = new URL('./recorded/near-misses.jsonl', import.meta.url)
const crosvm = findCrosvm()
const runs = Number(process.env['CROSVM_SPEC_ORACLE'] ?? 300)

/** What this package makes of a line: `machine`, or why there is none. */
function ours(argv: readonly string[]): 'machine' | 'malformed' | 'not-covered' | 'no-machine' {
  return parseArgv(argv, { architecture: 'x86_64', workingDirectory: '/cwd' }).match(
    () => 'machine',
    (error) => error.kind,
  )
}

function agree(argv: readonly string[], verdict: Verdict): boolean {
  const mine = ours(argv)
  return verdict === 'accepted' ? mine === 'machine' || mine === 'no-machine' : mine !== 'machine'
}

interface Judged {
  readonly argv: readonly string[]
  readonly verdict: Verdict
  readonly stderr: string
}

async function judged(binary: string, count: number, seed: number): Promise<readonly Judged[]> {
  const help = parseHelp(await runHelp(binary))._unsafeUnwrap()
  // crosvm looks whether a shared directory is there while it parses.
  const generated = machines(fc.constant(NO_KERNEL), fc.constantFrom('/', '/tmp', '/usr/bin'), ['logging'])
  const lines = fc
    .sample(generated, { numRuns: count, seed })
    .map((machine) => crosvmSpec(machine))
    .flatMap((made) => (made.isOk() ? [made.value] : []))
    .filter((spec) => absentOptions(spec, help).length === 0)
    .flatMap((spec, index) => nearMisses(spec, NO_KERNEL, seed + index))
  const found: Judged[] = []
  await each(lines, async (argv) => {
    const answer = await judge(binary, argv).catch((error: Error) => error)
    // A range of CPUs that takes all memory to hold ends crosvm itself; that is no verdict.
    if (answer instanceof Error) return
    // Whether a directory is there is the host's affair; so is a file that is looked for before the kernel.
    if (/must be a directory|failed to open (initrd|bios)/.test(answer.stderr)) return
    found.push({ argv, ...answer })
  })
  return found
}

describe('nearly right command lines', () => {
  test('that a real crosvm judged are judged alike here', () => {
    const rows = readFileSync(table, 'utf8').trimEnd().split('\n')
    expect(rows.length).toBeGreaterThan(300)
    const recorded = rows.map((row) => JSON.parse(row) as Judged)
    expect(new Set(recorded.map(({ verdict }) => verdict)).size).toBe(3)
    expect(recorded.filter(({ argv, verdict }) => !agree(argv, verdict))).toEqual([])
  })

  test.skipIf(crosvm === undefined)(
    'are judged alike by crosvm, fresh ones each time (skipped where no crosvm is in CROSVM or on PATH)',
    { timeout: 3_600_000 },
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 31)
      const all = await judged(crosvm!, runs, seed)
      expect(all.length).toBeGreaterThan(runs)
      const disagreements = all.filter(({ argv, verdict }) => !agree(argv, verdict))
      expect({ seed, disagreements: disagreements.map((one) => ({ ...one, ours: ours(one.argv) })) }).toEqual(
        {
          seed,
          disagreements: [],
        },
      )
      console.log(
        `crosvm and this package agree about ${all.length} nearly right command lines (seed ${seed})`,
      )
    },
  )

  test.runIf(crosvm !== undefined && process.env['CROSVM_SPEC_RECORD'] === '1')(
    'are recorded (skipped where CROSVM_SPEC_RECORD is not 1)',
    { timeout: 600_000 },
    async () => {
      const rows = (await judged(crosvm!, 250, 1)).filter(({ argv }) => argv.join('').length < 500)
      writeFileSync(table, rows.map(({ argv, verdict }) => `${JSON.stringify({ argv, verdict })}\n`).join(''))
    },
  )
})
