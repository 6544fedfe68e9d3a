// npm run example -- NAME [WORD…]: whatever set-up is missing (told on standard error), then the example.
import { findExamples, stepsFor } from './examples.mjs'
import { setUp } from './steps.mjs'
import { runTypeScript } from './typescript-program.mjs'

const examples = findExamples()
const [name, ...words] = process.argv.slice(2)
const found = examples.find((one) => one.name === name)
if (found === undefined) {
  const list = examples.map((one) => `  ${one.name}\n`).join('')
  process.stderr.write(`Usage: npm run example -- NAME [WORD…]\n\nExamples:\n${list}`)
  process.exitCode = 2
} else {
  const status = await setUp({
    steps: stepsFor(found),
    quiet: true,
    write: (text) => process.stderr.write(text),
  })
  // npm changes to the top of the checkout; what a word names is where the user stands.
  const cwd = process.env.INIT_CWD
  process.exitCode = status || (await runTypeScript(found.program, words, { cwd }))
}
