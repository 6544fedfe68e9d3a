import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './blocks.js'

/** The sources of all that a program can import from the packages. */
export const entries = readdirSync(join(root, 'packages')).flatMap((name) => {
  const folder = join(root, 'packages', name)
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return Object.keys(exports)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => join(folder, 'src', `${subpath === '.' ? 'index' : subpath.slice(2)}.ts`))
})

/** Every `kind` of every error type that the packages export, with the names of the types that have it. */
export function errorKinds(program: ts.Program): Map<string, Set<string>> {
  const checker = program.getTypeChecker()
  const kinds = new Map<string, Set<string>>()
  for (const entry of entries) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)
    for (const exported of module === undefined ? [] : checker.getExportsOfModule(module)) {
      if (!/(Error|Failure)$/.test(exported.name)) continue
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if (!(symbol.flags & (ts.SymbolFlags.TypeAlias | ts.SymbolFlags.Interface))) continue
      const kind = checker.getDeclaredTypeOfSymbol(symbol).getProperty('kind')
      if (kind === undefined) continue
      const type = checker.getTypeOfSymbol(kind)
      for (const one of type.isUnion() ? type.types : [type]) {
        if (!one.isStringLiteral()) continue
        kinds.set(one.value, (kinds.get(one.value) ?? new Set()).add(exported.name))
      }
    }
  }
  return kinds
}
