import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const reaches = {
  'a file system': "import { readFileSync } from 'node:fs'\nexport const read = readFileSync\n",
  'a file system without the node: prefix':
    "import { readFileSync } from 'fs'\nexport const read = readFileSync\n",
  'a file system by promise': "export { readFile } from 'node:fs/promises'\n",
  'a file system by dynamic import': "export const load = () => import('node:fs')\n",
  'a file system by require': "export const fs = require('node:fs')\n",
  'other programs': "import { spawn } from 'node:child_process'\nexport const start = spawn\n",
  'the network': "import { connect } from 'node:net'\nexport const dial = connect\n",
  'the network by a global': "export const get = () => fetch('https://example.org')\n",
  'the environment': 'export const home = process.env.HOME\n',
  'the process': 'export const id = process.pid\n',
  'the process by import': "import { pid } from 'node:process'\nexport const id = pid\n",
  'the process through globalThis': 'export const id = globalThis.process.pid\n',
  'the clock': 'export const now = () => Date.now()\n',
  'the clock by new': 'export const now = () => new Date()\n',
  'the monotonic clock': 'export const now = () => performance.now()\n',
  'a timer': 'export const soon = (then: () => void) => setTimeout(then, 10)\n',
  'a timer by import':
    "import { setTimeout as sleep } from 'node:timers/promises'\nexport const soon = sleep\n",
  'the terminal': "import { isatty } from 'node:tty'\nexport const terminal = isatty(1)\n",
  threads: "import { Worker } from 'node:worker_threads'\nexport const Thread = Worker\n",
}
const pure = `import { createHash } from 'node:crypto'
import { join } from 'node:path/posix'

export const name = (bytes: Uint8Array) => join('/a', createHash('sha256').update(bytes).digest('hex'))
`

let place: string
let complaints: Map<string, string[]>

/** One lint of all files at once: rule names by file. */
async function lint(): Promise<Map<string, string[]>> {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
  const argv = [biome, 'lint', '--config-path=.biome.json', '--reporter=json', '--max-diagnostics=none', '.']
  const text = await new Promise<string>((resolve) =>
    execFile(process.execPath, argv, { cwd: place, maxBuffer: 2 ** 24 }, (_error, stdout) => resolve(stdout)),
  )
  const found = new Map<string, string[]>()
  const { diagnostics } = JSON.parse(text) as {
    diagnostics: { category: string; severity: string; location: { path: string | { file: string } } }[]
  }
  for (const { category, severity, location } of diagnostics) {
    if (severity !== 'error' && severity !== 'fatal') continue
    const path = typeof location.path === 'string' ? location.path : location.path.file
    found.set(path, [...(found.get(path) ?? []), category])
  }
  return found
}

const fileFor = (name: string, folder: string) =>
  `packages/thing/src/${folder}${name.replaceAll(/\W/g, '-')}.ts`

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'spectrum-lint-'))
  await cp(join(root, '.biome.json'), join(place, '.biome.json'))
  const files: Record<string, string> = {
    '.gitignore': '',
    'packages/thing/src/pure.ts': pure,
    'packages/thing/src/linux.ts': reaches['a file system'],
  }
  for (const [name, source] of Object.entries(reaches)) {
    files[fileFor(name, '')] = source
    files[fileFor(name, 'deep/er/')] = source
    files[fileFor(name, 'linux/')] = source
  }
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(join(place, path)), { recursive: true })
    await writeFile(join(place, path), source)
  }
  complaints = await lint()
}, 60_000)
afterAll(() => rm(place, { recursive: true, force: true }))

describe('the rule that authority is passed', () => {
  it.each(Object.keys(reaches))('fails a source that reaches for %s', (name) => {
    expect(complaints.get(fileFor(name, ''))).not.toBeUndefined()
    expect(complaints.get(fileFor(name, 'deep/er/'))).not.toBeUndefined()
  })

  it.each(Object.keys(reaches).filter((name) => !name.includes('without') && !name.includes('require')))(
    'lets src/linux/ reach for %s',
    (name) => expect(complaints.get(fileFor(name, 'linux/'))).toBeUndefined(),
  )

  it('lets src/linux.ts build powers', () => {
    expect(complaints.get('packages/thing/src/linux.ts')).toBeUndefined()
  })

  it('lets every source compute', () => {
    expect(complaints.get('packages/thing/src/pure.ts')).toBeUndefined()
  })
})
