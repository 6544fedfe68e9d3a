import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './commands.mjs'
import { root } from './places.mjs'

/** Runs one vitest project to its end, its output shown as it comes; resolves with the tally. */
export async function runProject(
  project,
  { node = process.execPath, path = process.env.PATH, signal, deadlineMs },
) {
  const directory = mkdtempSync(join(tmpdir(), 'spectrum-tally-'))
  const file = join(directory, 'tally.json')
  try {
    const outcome = await run(
      node,
      [
        join(root, 'node_modules', 'vitest', 'vitest.mjs'),
        'run',
        '--config',
        join(root, '.vitest.config.ts'),
        '--project',
        project,
        '--reporter=default',
        `--reporter=${join(root, 'packages', 'cli', 'setup', 'vitest-tally.mjs')}`,
      ],
      {
        cwd: root,
        signal,
        deadlineMs,
        env: { SPECTRUM_TALLY: file, PATH: path },
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    )
    return honest(readTally(file, project), outcome.code, project)
  } catch (error) {
    if (signal?.aborted) throw error
    // What it did until then counts, and the files it was at are named.
    const tally = readTally(file, project)
    tally.failures.push({ file: `vitest --project ${project}`, name: error.message })
    return tally
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function readTally(file, project) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {
      passed: 0,
      skips: [],
      failures: [{ file: `vitest --project ${project}`, name: 'ended without a report' }],
    }
  }
}

// vitest itself said no, though no test did: a failure all the same.
function honest(tally, code, project) {
  if (code !== 0 && tally.failures.length === 0)
    tally.failures.push({ file: `vitest --project ${project}`, name: `exit status ${code}` })
  return tally
}
