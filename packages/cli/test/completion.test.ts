import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCommandLine, spectrum } from '@spectrum/cli'
import { afterAll, describe, expect, it } from 'vitest'
import { grammar } from '../src/completion/grammar.js'
import { usage } from '../src/usage.js'
import { type KeptSink, powersWith } from './fakes.js'
import { hostsAt, runHost } from './hosts.js'

async function candidates(...words: string[]): Promise<string[]> {
  await using host = await runHost()
  const { powers } = host.powers()
  expect(await spectrum(['complete', '--', ...words], powers)).toBe(0)
  const lines = (powers.stdout as KeptSink).text.split('\n').slice(0, -1)
  return lines.map((line) => line.split('\t')[0]!)
}

async function script(shell: string): Promise<string> {
  const { powers } = powersWith()
  expect(await spectrum(['completion', shell], powers)).toBe(0)
  return (powers.stdout as KeptSink).text
}

describe('completion', () => {
  it.each<[string[], string[]]>([
    [['e'], ['exec', 'explain']],
    [
      ['exec', ''],
      ['left', 'right'],
    ],
    [['exec', '-it', 'le'], ['left']],
    [['exec', '--env', ''], []],
    [['exec', '--env', 'A=1', 'r'], ['right']],
    [['exec', 'left', '--', ''], []],
    [['exec', '--host', 'host-'], ['host-1']],
    [['exec', '--host', 'host-2', ''], []],
    [['stop', '--gr'], ['--grace']],
    [
      ['logs', 'x', ''],
      ['--help', '-h', '--json', '--host', '-f', '--follow', '-n', '--lines'],
    ],
    [['inject', 'left', '/nix'], [':files']],
    [['up', ''], [':files']],
    [['graph', 'g.ts', '--as', 'me'], ['mermaid']],
    [['completion', 'f'], ['fish']],
    [['nonsense', ''], []],
    [['constructor', ''], []],
  ])('of %j is %j', async (words, expected) => {
    expect(await candidates(...words)).toEqual(expected)
  })

  it('of a name that could command the terminal is none', async () => {
    const { powers } = powersWith({
      hosts: {
        ...hostsAt(),
        find: async () => [{ name: 'x\x1b[2J', pid: 1, directory: '/d', socket: '/s' }],
      },
    })
    await spectrum(['complete', '--', 'ps', '--host', ''], powers)
    expect((powers.stdout as KeptSink).text).toBe('')
  })

  it('knows the commands and options that the help tells of, and the parser takes', () => {
    for (const [verb, { options }] of Object.entries(grammar)) {
      const help = usage[verb as keyof typeof grammar]
      const told = new Set([...help.matchAll(/(?<=[\s,[])--?[a-z-]+\b/g)].map(([option]) => option))
      const known = Object.keys(options)
      for (const option of told) if (option !== '--') expect([verb, ...known]).toContain(option)
      for (const [option, takes] of Object.entries(options)) {
        // With its value, it is never the option that is complained of.
        const words = [verb, option, ...(takes === undefined ? [] : ['1'])]
        const complaint = parseCommandLine(words).match(
          () => '',
          ({ message }) => message,
        )
        expect(complaint).not.toMatch(/unknown option|does not take|argument missing/i)
      }
    }
  })

  it('is refused for a shell that is not known', async () => {
    expect(await spectrum(['completion', 'csh'], powersWith().powers)).toBe(2)
    expect(await spectrum(['complete', 'x'], powersWith().powers)).toBe(2)
  })
})

describe('the script for a shell', async () => {
  const place = await mkdtemp(join(tmpdir(), 'completion-'))
  afterAll(() => rm(place, { recursive: true }))
  const bounds = { timeout: 60_000, killSignal: 'SIGKILL' } as const

  const installed = (shell: string) =>
    spawnSync(shell, ['-c', 'exit 0'], { ...bounds, stdio: 'ignore' }).status === 0
  for (const shell of ['bash', 'zsh', 'fish']) {
    const there = installed(shell)
    it(`${shell} reads${there ? '' : ` (skipped: ${shell} is not installed)`}`, async () => {
      if (!there) return
      const file = join(place, `spectrum.${shell}`)
      await writeFile(file, await script(shell))
      expect(
        spawnSync(shell, shell === 'bash' ? ['--norc', '-n', file] : ['-n', file], bounds),
      ).toMatchObject({ status: 0 })
    })
  }

  it('really completes in bash', async () => {
    // In the place of the command: what it was asked, and answers of all kinds.
    await writeFile(
      join(place, 'spectrum'),
      '#!/bin/sh\nprintf "%s\\n" "$*" >"$PLACE/asked"\nprintf "left\\trunning\\nlonger\\tstopped\\n:files\\n"\n',
      { mode: 0o755 },
    )
    await writeFile(join(place, 'l file'), '')
    await writeFile(join(place, 'load.bash'), await script('bash'))
    const typed = [
      'source ./load.bash',
      'COMP_WORDS=(spectrum exec --env A l) COMP_CWORD=4',
      '_spectrum',
      `printf '%s|' "\${COMPREPLY[@]}"`,
      'cat asked',
      'complete -p spectrum',
    ].join('\n')
    const out = execFileSync('bash', ['--norc', '-c', typed], {
      ...bounds,
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: place,
      encoding: 'utf8',
      env: { PATH: `${place}:${process.env['PATH']}`, PLACE: place },
    })
    expect(out.split('\n')).toEqual([
      'left|longer|l file|load.bash|complete -- exec --env A l',
      'complete -F _spectrum spectrum',
      '',
    ])
  })
})
