import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './blocks.js'

/** A row of the specification: what is said, when it is run, and the test or figure that holds it. */
export interface Binding {
  readonly line: number
  /** `fast`, `guest`, `long`, `once`, or `bench` for a figure. */
  readonly run: string
  readonly accelerator: string
  readonly file: string
  readonly title: string
}

/** The rows of the tables whose last column is `file` › `title`, by the number of their section. */
export function bindingsOf(markdown: string): Map<string, Binding[]> {
  const sections = new Map<string, Binding[]>()
  let section = ''
  for (const [at, line] of markdown.split('\n').entries()) {
    const heading = /^## (?:(\d+)\. )?(.*)$/.exec(line)
    if (heading !== null) {
      section = heading[1] ?? heading[2]!
      sections.set(section, [])
    }
    if (!line.includes('› `')) continue
    const cells = line.split('|').map((cell) => cell.trim())
    const bound = /^`([^`]+)` › `([^`]+)`$/.exec(cells.at(-2) ?? '')
    if (bound === null) throw new Error(`line ${at + 1} binds nothing: ${line}`)
    const [run = '', accelerator = ''] = cells.slice(-4, -2)
    sections.get(section)?.push({ line: at + 1, run, accelerator, file: bound[1]!, title: bound[2]! })
  }
  return sections
}

const parsed = new Map<string, ts.SourceFile>()

function sourceOf(file: string): ts.SourceFile | undefined {
  const path = join(root, file)
  if (!existsSync(path)) return undefined
  const source =
    parsed.get(file) ?? ts.createSourceFile(file, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2023, true)
  parsed.set(file, source)
  return source
}

/** `it`, `test`, a suite's `promise`, `it.concurrent`, and `it.each(…)`. */
function declaresTests(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return ['it', 'test', 'promise'].includes(callee.text)
  if (ts.isPropertyAccessExpression(callee))
    return callee.name.text === 'concurrent' && declaresTests(callee.expression)
  if (!ts.isCallExpression(callee) || !ts.isPropertyAccessExpression(callee.expression)) return false
  return callee.expression.name.text === 'each' && declaresTests(callee.expression.expression)
}

/** The titles of the tests that a file declares, each written out in full there. */
export function titlesIn(file: string): Set<string> {
  const titles = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const [title, body] = node.arguments
      if (
        declaresTests(node.expression) &&
        body !== undefined &&
        title !== undefined &&
        ts.isStringLiteralLike(title)
      )
        titles.add(title.text)
    }
    ts.forEachChild(node, visit)
  }
  const source = sourceOf(file)
  if (source !== undefined) visit(source)
  return titles
}

/** Whether a text of the file is this name; what its code puts in may be anything, but ten characters are its own. */
export function printsRow(file: string, name: string): boolean {
  let found = false
  const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) && node.text === name) found = true
    if (ts.isTemplateExpression(node)) {
      const parts = [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]
      if (parts.join('').length >= 10)
        found ||= new RegExp(`^${parts.map(escaped).join('.*')}$`, 'u').test(name)
    }
    ts.forEachChild(node, visit)
  }
  const source = sourceOf(file)
  if (source !== undefined) visit(source)
  return found
}
