// npm run docs: the API of all packages, their READMEs and the guides, as one site in docs/build/site.
import { rmSync } from 'node:fs'
import { output } from './places.mjs'
import { convert } from './site.mjs'

const { app, project, complaints } = await convert()
if (complaints.length === 0) {
  rmSync(output, { recursive: true, force: true })
  await app.generateDocs(project, output)
}
for (const complaint of complaints) process.stderr.write(`${complaint}\n`)
if (complaints.length > 0) {
  process.stderr.write(`\n${complaints.length} complaints: document what is public, and mend the links.\n`)
  process.exitCode = 1
} else process.stdout.write(`${output}\nnpm run docs:serve shows it.\n`)
