// npm run bench -- NAME [FLAGS]: runs the measurement NAME.ts of whichever package has it.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './places.mjs'
import { runtimeSteps, setUp } from './steps.mjs'
import { runTypeScript } from './typescript-program.mjs'

const measurements = ['packages', 'examples'].flatMap((parent) =>
  readdirSync(join(root, parent)).flatMap((folder) => {
    const directory = join(root, parent, folder, 'bench')
    if (!existsSync(directory)) return []
    return readdirSync(directory)
      .filter((file) => file.endsWith('.ts'))
      .map((file) => ({
        name: file.slice(0, -'.ts'.length),
        file: join(directory, file),
        owner: `${parent}/${folder}`,
      }))
  }),
)

const [name, ...flags] = process.argv.slice(2)
const found = measurements.filter(
  (one) => one.name === name || `${one.owner}/${one.name}` === `packages/${name}`,
)
if (name === undefined || name.startsWith('-') || found.length !== 1) {
  const list = measurements.map((one) => `  ${one.name}  (${one.owner})`).join('\n') || '  none yet'
  const problem = found.length > 1 ? `Several packages measure ${name}: say PACKAGE/${name}.\n\n` : ''
  process.stderr.write(`${problem}Usage: npm run bench -- NAME [--json]\n\nMeasurements:\n${list}\n`)
  process.exitCode = 2
} else {
  const status = await setUp({
    steps: runtimeSteps,
    quiet: true,
    write: (text) => process.stderr.write(text),
  })
  process.exitCode = status || (await runTypeScript(found[0].file, flags))
}
