// npm run build: every package that is out of date, to ESM, CommonJS and types.

import { npmDependencies } from './npm-dependencies.mjs'
import { setUp } from './steps.mjs'
import { typescriptBuild } from './typescript-build.mjs'

process.exitCode = await setUp({
  steps: [npmDependencies, typescriptBuild],
  write: (text) => process.stdout.write(text),
})
