// The examples: folders of examples/ that have a program to start. What one needs beyond the rule stands in its
// package.json, below "example":
//
//   start       the program, by default src/main.ts
//   debian      packages of debian.mjs that it needs besides those of the runtime
//   setup       "tests" where it needs what only the tests do, such as labs
//   unattended  the arguments with which it comes to an end without a person
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { debianPackagesNamed } from './debian.mjs'
import { root } from './places.mjs'
import { runtimeSteps, testSteps } from './steps.mjs'

/** All of them, sorted by name. */
export function findExamples(directory = join(root, 'examples')) {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const manifest = join(directory, name, 'package.json')
      if (!existsSync(manifest)) return []
      const said = JSON.parse(readFileSync(manifest, 'utf8')).example ?? {}
      const { start = 'src/main.ts', debian = [], setup = 'runtime', unattended = [] } = said
      const program = join(directory, name, start)
      return existsSync(program) ? [{ name, program, debian, setup, unattended }] : []
    })
}

/** The set-up that an example needs. */
export function stepsFor({ debian, setup }) {
  const steps = setup === 'tests' ? testSteps : runtimeSteps
  return debian.length === 0 ? steps : [...steps, debianPackagesNamed(debian)]
}
