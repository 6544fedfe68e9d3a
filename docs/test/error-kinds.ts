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

/** By their names: what an operation fails with, and refusals of smaller ones. */
const errorNames = /(Error|Failure)$/
const refusalNames = /(Fault|Refusal|Problem)$|^No(t)?[A-Z]/

/** Every `kind` of every error type that the packages export, with the names of the types that have it. */
export function errorKinds(program: ts.Program): Map<string, Set<string>> {
  const checker = program.getTypeChecker()
  const kinds = new Map<string, Set<string>>()
  for (const entry of entries) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)
    for (const exported of module === undefined ? [] : checker.getExportsOfModule(module)) {
      const refusal = refusalNames.test(exported.name)
      if (!refusal && !errorNames.test(exported.name)) continue
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if (!(symbol.flags & (ts.SymbolFlags.TypeAlias | ts.SymbolFlags.Interface))) continue
      const declared = checker.getDeclaredTypeOfSymbol(symbol)
      const kind = declared.getProperty('kind')
      // A refusal that is told as an event, or is a part of an error, has no message of its own.
      if (kind === undefined || (refusal && declared.getProperty('message') === undefined)) continue
      const type = checker.getTypeOfSymbol(kind)
      for (const one of type.isUnion() ? type.types : [type]) {
        if (!one.isStringLiteral()) continue
        kinds.set(one.value, (kinds.get(one.value) ?? new Set()).add(exported.name))
      }
    }
  }
  return kinds
}
