import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { build, checkout, digest, nothing, Place, spectrumFromSources } from './command-line.js'

let place: Place
let act: string
let more: string
let graph: string

beforeAll(async () => {
  act = await build('act.nix')
  more = await build('more.nix', '--argstr', 'act', act)
  place = await Place.make('spectrum-up-')
  graph = join(place.path, 'graph.ts')
  await writeFile(
    graph,
    `import { closure, compose, defineUnit } from '${checkout}packages/unit-graph/src/index.ts'
const path: string = '${act}'
export default compose({ left: defineUnit('left', { store: closure(path) }) })
`,
  )
})
afterAll(() => rm(place.path, { recursive: true, force: true }))
afterEach(async () => {
  place.killAll()
  await expect.poll(() => place.leftovers()).toEqual(nothing)
})

const start = (argv: readonly string[]) => place.start(argv)
const run = (words: readonly string[], input?: Buffer) => place.run(words, input)

async function upAndReady() {
  const up = start([...spectrumFromSources, 'up', graph, '--json'])
  const ended = up.finished.then(({ complaint }) => complaint)
  await Promise.race([expect.poll(up.shown, { timeout: 100_000 }).toContain('"ready"'), ended])
  expect(up.shown()).toContain('"ready"')
  return up
}

/** What is done at a terminal of 100 by 30 characters; afterwards it prints its status, and what the terminal is. */
function atTerminal(words: readonly string[]) {
  const quoted = [...place.spectrum, ...words].map((word) => `'${word}'`).join(' ')
  const script = `tty; stty rows 30 columns 100; ${quoted}; echo "status=$?"; stty -a`
  return start(['script', '-qec', script, '/dev/null'])
}

describe('a host from the command line, with a real unit', () => {
  it('is started from a TypeScript graph, looked at, worked with, and stopped', async () => {
    const up = await upAndReady()

    const { hosts } = JSON.parse((await run(['ps', '--json'])).out.toString())
    expect(hosts).toMatchObject([
      { host: { pid: up.child.pid }, units: [{ name: 'left', state: 'running', running: { paths: 1 } }] },
    ])

    // Byte by byte both ways, while other commands run.
    const input = randomBytes(8 * 1024 * 1024)
    const [copied, refused, injected] = await Promise.all([
      run(['exec', '-i', 'left', '--', `${act}/bin/act`, 'copy'], input),
      run(['exec', 'left', '--', `${act}/bin/absent`]),
      run(['inject', 'left', more, '--json']),
    ])
    expect([copied.status, copied.complaint, digest(copied.out)]).toEqual([0, '', digest(input)])
    expect(refused).toMatchObject({ status: 127, complaint: expect.stringContaining('absent') })
    expect(JSON.parse(injected.out.toString())).toMatchObject({ unit: 'left', added: [more] })

    const terminal = atTerminal(['exec', '-it', 'left', '--', `${act}/bin/act`, 'screen'])
    const following = start([...place.spectrum, 'logs', '-f', '-n', '5000', 'left'])
    const reported = run(['exec', '--env', 'A=1', 'left', '--', `${more}/more`, 'report', '42'])
    expect(await reported).toEqual({
      status: 42,
      out: Buffer.from('A=1\n'),
      complaint: 'to standard error\n',
    })

    // The size goes there, changes go there, and Ctrl-C is the program's own.
    await expect.poll(terminal.shown).toContain('100x30')
    const [, tty] = /(\/dev\/pts\/\d+)/.exec(terminal.shown()) ?? []
    await promisify(execFile)('stty', ['-F', tty!, 'rows', '40', 'columns', '90'])
    await expect.poll(terminal.shown).toContain('90x40')
    terminal.child.stdin.write('\x03')
    await expect.poll(terminal.shown).toContain('status=130')
    terminal.child.stdin.end()
    const { out } = await terminal.finished
    expect(out.toString()).toMatch(/[^-]icanon/)
    expect(out.toString()).toMatch(/[^-]echo\b/)

    // It must have reached the host before that is stopped.
    await expect.poll(following.shown).toContain('running\n')
    expect(await run(['stop', '--json'])).toMatchObject({
      status: 0,
      out: Buffer.from('{"stopped":[{"unit":"left","graceful":true}]}\n'),
    })
    expect((await up.finished).status).toBe(0)
    const followed = await following.finished
    expect(followed.out.toString()).toMatch(/^running\n[\s\S]*^stopped\n/m)
  })

  it('that is killed leaves the terminal as it was, and what it left goes with the next one', async () => {
    const up = await upAndReady()
    const terminal = atTerminal(['exec', '-it', 'left', '--', `${act}/bin/act`, 'screen'])
    await expect.poll(terminal.shown).toContain('100x30')
    up.child.kill('SIGKILL')
    await expect.poll(terminal.shown).toContain('status=125')
    terminal.child.stdin.end()
    const { out } = await terminal.finished
    expect(out.toString()).toMatch(/[^-]icanon/)
    await writeFile(graph, (await readFile(graph, 'utf8')).replace(act, `${act}-absent`))
    const { status, complaint } = await start([...spectrumFromSources, 'up', graph]).finished
    expect([status, complaint]).toEqual([125, expect.stringContaining('absent')])
  })
})
