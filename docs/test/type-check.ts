import { join } from 'node:path'
import ts from 'typescript'
import { type Block, root } from './blocks.js'

/** What the compiler says about a block, with the place on its page. */
export interface Complaint {
  readonly place: string
  readonly message: string
}

/** The packages' sources and the libraries' types are read once. */
const sources = new Map<string, ts.SourceFile | undefined>()

/**
 * Type-checks every block as a module of its own, all in one program against the packages' sources. Only the blocks
 * are checked, so of the sources the compiler looks at what they use.
 */
export function typeCheck(blocks: readonly Block[]): Complaint[] {
  const { program, modules } = programOf(blocks, [])
  return complaintsOf(program, modules)
}

type Modules = ReadonlyMap<string, { readonly source: string; readonly lines: readonly string[] }>

/** One program of all blocks, and of these sources beside them. */
export function programOf(
  blocks: readonly Block[],
  beside: readonly string[],
): { readonly program: ts.Program; readonly modules: Modules } {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.base.json'),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (problem) => {
        throw new Error(ts.flattenDiagnosticMessageText(problem.messageText, '\n'))
      },
    },
  )!
  const options: ts.CompilerOptions = {
    ...config.options,
    noEmit: true,
    declaration: false,
    sourceMap: false,
    // A block may show a value without using it.
    noUnusedLocals: false,
  }
  const modules = new Map<string, { readonly source: string; readonly lines: readonly string[] }>()
  blocks.forEach((block, index) => {
    // In the folder of the page, so that what it can import is what a reader there can import.
    const file = join(root, block.page, '..', `__block_${index}.ts`)
    modules.set(file, assemble(blocks, index))
  })
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (file) => modules.has(file) || fileExists(file)
  host.readFile = (file) => modules.get(file)?.source ?? readFile(file)
  host.getSourceFile = (file, ...rest) => {
    const block = modules.get(file)
    if (block !== undefined) return ts.createSourceFile(file, block.source, ts.ScriptTarget.ES2023, true)
    if (!sources.has(file)) sources.set(file, getSourceFile.call(host, file, ...rest))
    return sources.get(file)
  }
  const program = ts.createProgram([...modules.keys(), ...beside], options, host)
  return { program, modules }
}

/** What the compiler says about the blocks of a program. */
export function complaintsOf(program: ts.Program, modules: Modules): Complaint[] {
  return [...modules].flatMap(([file, { lines }]) => {
    const source = program.getSourceFile(file)!
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      (problem) => ({
        place: lines[source.getLineAndCharacterOfPosition(problem.start ?? 0).line] ?? file,
        message: ts.flattenDiagnosticMessageText(problem.messageText, '\n'),
      }),
    )
  })
}

/** A block behind all that it stands on, and of each line where it comes from. */
function assemble(blocks: readonly Block[], index: number): { source: string; lines: string[] } {
  const block = blocks[index]!
  const before = block.continues
    ? assemble(blocks, index - 1)
    : { source: 'export {}', lines: [`${block.page}:${block.line}`] }
  if (block.continues && blocks[index - 1]?.page !== block.page)
    throw new Error(`${block.page}:${block.line} continues, but nothing stands before it`)
  const given = block.given === '' ? [] : block.given.split('\n')
  const own = block.text.split('\n')
  return {
    source: [before.source, ...given, ...own].join('\n'),
    lines: [
      ...before.lines,
      ...given.map(() => `${block.page}:${block.line} (given)`),
      ...own.map((_, at) => `${block.page}:${block.line + at + 1}`),
    ],
  }
}
