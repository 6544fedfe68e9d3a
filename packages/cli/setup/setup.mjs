// npm run setup: whatever this checkout needs and this machine lacks. Runs before npm install, on plain Node.
import { parseArgs } from 'node:util'
import { setUp } from './steps.mjs'

const usage = `Usage: npm run setup [-- --check]

Installs what is missing: Debian packages, a kernel for guests (into a cache, not installed), npm
dependencies, native builds, the TypeScript build. Never edits apt's sources. Quick when nothing is missing.

  --check   only report what is missing; exit status 1 if anything is
  --help    this text
`

let options
try {
  options = parseArgs({ options: { check: { type: 'boolean' }, help: { type: 'boolean' } } }).values
} catch (error) {
  process.stderr.write(`${error.message}\n\n${usage}`)
  process.exit(2)
}
if (options.help) {
  process.stdout.write(usage)
} else {
  process.exitCode = await setUp({
    checkOnly: options.check === true,
    write: (text) => process.stdout.write(text),
  })
}
