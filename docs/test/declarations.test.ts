// The packages' declarations as a program that installs them sees them, with libraries checked (`skipLibCheck: false`).
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { root } from './blocks.js'

/** Every entry of every package, by the name that a program imports. */
const entries = readdirSync(join(root, 'packages')).flatMap((folder) => {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'))
  return Object.keys(exports)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => name + subpath.slice(1))
})

/** What the compiler says of the packages' declarations and of those they lean on, in a project with these settings. */
function complaintsIn(options: ts.CompilerOptions, files: readonly string[]): string[] {
  const source = entries.map((entry, at) => `export * as entry${at} from '${entry}'\n`).join('')
  const all: ts.CompilerOptions = { ...options, strict: true, noEmit: true, target: ts.ScriptTarget.ES2023 }
  const programs = new Map(files.map((file) => [join(root, file), source]))
  const host = ts.createCompilerHost(all)
  const { fileExists, readFile } = host
  host.fileExists = (file) => programs.has(file) || fileExists(file)
  host.readFile = (file) => programs.get(file) ?? readFile(file)
  const program = ts.createProgram([...programs.keys()], all, host)
  const looked = program
    .getSourceFiles()
    .filter((file) => !program.isSourceFileDefaultLibrary(file) && !file.fileName.includes('/@types/'))
  expect(looked.filter(({ fileName }) => /\/packages\/[\w-]+\/dist\//.test(fileName)).length).toBeGreaterThan(
    entries.length,
  )
  return [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...looked.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]),
  ].map(
    ({ file, messageText }) =>
      `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
  )
}

describe('the declarations of the packages', { timeout: 180_000 }, () => {
  it('hold where TypeScript resolves as Node does, for ES modules and for CommonJS', () => {
    const options = { module: ts.ModuleKind.NodeNext, lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'] }
    expect(complaintsIn(options, ['program.mts', 'program.cts'])).toEqual([])
  })

  it('hold where it resolves as bundlers do, also as strict as can be and with what @types/node has of disposal', () => {
    const options = {
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      isolatedModules: true,
      lib: ['lib.es2023.d.ts'],
    }
    expect(complaintsIn(options, ['program.mts'])).toEqual([])
  })
})
