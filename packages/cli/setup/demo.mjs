// npm run demo: whatever set-up is missing (told on standard error), then the demonstration.
import { join } from 'node:path'
import { root } from './places.mjs'
import { runtimeSteps, setUp } from './steps.mjs'
import { runTypeScript } from './typescript-program.mjs'

const status = await setUp({ steps: runtimeSteps, quiet: true, write: (text) => process.stderr.write(text) })
process.exitCode =
  status || (await runTypeScript(join(root, 'examples', 'demo', 'src', 'main.ts'), process.argv.slice(2)))
