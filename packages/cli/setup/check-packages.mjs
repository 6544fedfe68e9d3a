// npm run check:packages: would each package, as it would be published, work for those who install it?
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Interrupted, run } from './commands.mjs'
import { listenForInterruption } from './interruption.mjs'
import { root } from './places.mjs'
import { packagesInOrder, severalAtATime } from './workspace.mjs'

const publint = join(root, 'node_modules', 'publint', 'src', 'cli.js')
const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')

const checks = [
  { name: 'publint', argv: [publint, '--strict', '.'] },
  // `node16` leaves out TypeScript's resolution for Node 10, which knows no `exports`: subpaths cannot be told to
  // it, and no Node that these packages support resolves that way.
  { name: 'attw', argv: [attw, '--pack', '.', '--profile', 'node16', '--no-color', '--no-emoji'] },
]

/** Resolves with the list of complaints, one text each. */
export async function checkPackages({ signal, say }) {
  const complaints = await severalAtATime(packagesInOrder(), 2, async (one) => {
    if (!existsSync(join(one.path, 'dist'))) {
      say(`  ${one.name}: not built`)
      return [`${one.name} is not built: npm run build`]
    }
    const wrong = []
    for (const check of checks) {
      const outcome = await run(process.execPath, check.argv, {
        cwd: one.path,
        signal,
        env: { NO_COLOR: '1', FORCE_COLOR: undefined },
        deadlineMs: 120_000,
      })
      if (outcome.code !== 0) wrong.push(`${one.name}, ${check.name}:\n${outcome.both.trim()}`)
    }
    say(`  ${one.name}: ${wrong.length === 0 ? 'ok' : 'WRONG'}`)
    return wrong
  })
  return complaints.flat()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const interruption = listenForInterruption()
  try {
    const complaints = await checkPackages({ signal: interruption.signal, say: (line) => console.log(line) })
    for (const complaint of complaints) console.log(`\n${complaint}`)
    process.exitCode = complaints.length === 0 ? 0 : 1
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    process.exitCode = 130
  } finally {
    interruption.close()
  }
}
