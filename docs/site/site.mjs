import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Application,
  Comment,
  Converter,
  JSX,
  Logger,
  LogLevel,
  MinimalSourceFile,
  normalizePath,
  ReflectionKind,
} from 'typedoc'
import { root } from './places.mjs'

/** Every entry of every package: what a program can import, and the source it comes from. */
export function entries() {
  return readdirSync(join(root, 'packages'))
    .sort()
    .flatMap((name) => {
      const folder = join(root, 'packages', name)
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      return Object.keys(manifest.exports)
        .filter((subpath) => subpath !== './package.json')
        .map((subpath) => {
          const own = subpath === '.' ? '' : subpath.slice(1)
          return {
            owner: manifest.name,
            import: manifest.name + own,
            source: join(folder, 'src', `${own === '' ? 'index' : own.slice(1)}.ts`),
            folder,
            description: own === '' ? manifest.description : undefined,
          }
        })
    })
}

/** The records of decisions, by their numbers. */
function decisions() {
  return readdirSync(join(root, 'docs', 'decisions'))
    .filter((name) => /^\d/.test(name))
    .sort()
    .map((name) => `decisions/${name}`)
}

/** Guides in the order in which somebody new reads them, then what is for reference. */
const guides = [
  'guides/getting-started.md',
  'guides/concepts.md',
  'guides/writing-a-host.md',
  'guides/sharing-a-store.md',
  'guides/displaying-windows.md',
  'guides/trust-policies.md',
  'guides/capability-systems.md',
  'guides/power.md',
  'guides/security.md',
  'guides/troubleshooting.md',
  'architecture.md',
  'SPECIFICATION.md',
  'CONTRIBUTING.md',
  'releasing.md',
  'CHANGELOG.md',
  'decisions/README.md',
  ...decisions(),
]

/** What must have a docstring: everything with a name that a program can write, but for plain members. */
const documented = [
  'Module',
  'Enum',
  'Variable',
  'Function',
  'Class',
  'Interface',
  'TypeAlias',
  'Method',
  'Accessor',
]

/** Types without a page of their own: steps of a computation, whose outcome is said in words where it is used. */
const steps = {
  '@spectrum/kvm-ioctl': ['FieldInit', 'FieldValue', 'PathsIn'],
}

/** Keeps what TypeDoc complains of. */
class Complaints extends Logger {
  messages = []

  log(message, level) {
    super.log(message, level)
    if (level >= LogLevel.Warn) this.messages.push(message)
  }
}

/**
 * Makes the site's model of these entries; resolves with the application, the project, and the list of what is wrong,
 * which grows while the site is written.
 */
export async function convert(modules = entries()) {
  const app = await Application.bootstrap({
    name: 'Spectrum',
    entryPoints: modules.map(({ source }) => source),
    tsconfig: join(root, 'tsconfig.base.json'),
    basePath: join(root, 'packages'),
    displayBasePath: root,
    readme: join(root, 'README.md'),
    projectDocuments: guides.map((guide) => join(root, 'docs', guide)),
    // `npm run typecheck` does that.
    skipErrorChecking: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    disableGit: true,
    disableSources: true,
    hideGenerator: true,
    favicon: join(root, 'docs', 'site', 'favicon.svg'),
    customCss: join(root, 'docs', 'site', 'style.css'),
    githubPages: false,
    searchInComments: true,
    searchInDocuments: true,
    navigation: { includeCategories: false, includeGroups: false },
    validation: {
      notExported: true,
      invalidLink: true,
      invalidPath: true,
      rewrittenLink: true,
      notDocumented: true,
      unusedMergeModuleWith: true,
    },
    requiredToBeDocumented: documented,
    packagesRequiringDocumentation: [...new Set(modules.map(({ owner }) => owner))],
  })
  const complaints = new Complaints()
  app.logger = complaints
  nameModules(app, modules)
  // The navigation comes after the whole page: who has only a keyboard would have to pass all of that.
  app.renderer.hooks.on('body.begin', () =>
    JSX.createElement('a', { href: '#tsd-nav-container', class: 'skip' }, 'Skip to the navigation'),
  )
  const project = await app.convert()
  if (project === undefined)
    throw new Error(['the packages do not convert', ...complaints.messages].join('\n'))
  arrange(project)
  project.readme = withoutHeading(project.readme, 'the README')
  app.validate(project)
  demandNames(app, project, modules)
  return { app, project, complaints: complaints.messages }
}

/**
 * Whatever a documented symbol shows has to have a page too. TypeDoc asks that only of the package that it takes the
 * whole project for, so it is asked once for each.
 */
function demandNames(app, project, modules) {
  const { packageName } = project
  const all = app.options.getValue('validation')
  const none = Object.fromEntries(Object.keys(all).map((check) => [check, false]))
  app.options.setValue('validation', { ...none, notExported: true })
  for (const owner of new Set(modules.map((module) => module.owner))) {
    if (owner === packageName) continue
    project.packageName = owner
    app.options.setValue('intentionallyNotExported', steps[owner] ?? [])
    app.validate(project)
  }
  app.options.setValue('intentionallyNotExported', [])
  project.packageName = packageName
  app.options.setValue('validation', all)
}

/** Pages are known by their headings, and the records of decisions lie below the page that lists them. */
function arrange(project) {
  const pages = project.getReflectionsByKind(ReflectionKind.Document)
  for (const page of pages) page.name = headingOf(page.content, page.name).text
  const list = pages.find(({ name }) => name === 'Decisions')
  const records = pages.filter(({ name }) => /^\d+\. /.test(name))
  const others = (all) => all?.filter((one) => !records.includes(one))
  for (const holder of [project, ...(project.groups ?? [])]) {
    for (const key of ['documents', 'childrenIncludingDocuments', 'children'])
      if (holder[key] !== undefined) holder[key] = others(holder[key])
  }
  for (const record of records) {
    record.parent = list
    list.addChild(record)
  }
}

function headingOf([first], what) {
  const heading = /^# (.+)\n+/.exec(first?.text ?? '')
  if (heading === null) throw new Error(`${what} has no heading`)
  return { text: heading[1], length: heading[0].length }
}

/** What is shown below a heading that says the same. */
function withoutHeading(content, what) {
  const { length } = headingOf(content, what)
  return [{ ...content[0], text: content[0].text.slice(length) }, ...content.slice(1)]
}

/** A module is known by what a program writes to import it, and a package's first one shows its README. */
function nameModules(app, modules) {
  const bySource = new Map(modules.map((module) => [normalizePath(module.source), module]))
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return
    const source = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName
    const module = source === undefined ? undefined : bySource.get(normalizePath(source))
    if (module === undefined) return
    reflection.name = module.import
    if (module.description === undefined) return
    const readme = join(module.folder, 'README.md')
    const { content } = app.converter.parseRawComment(
      new MinimalSourceFile(readFileSync(readme, 'utf8'), normalizePath(readme)),
      context.project.files,
    )
    reflection.readme = withoutHeading(content, readme)
    // Links to a package's README lead to its page.
    context.project.files.registerReflectionPath(normalizePath(readme), reflection)
    reflection.comment ??= new Comment([{ kind: 'text', text: `${module.description}.` }])
  })
}
