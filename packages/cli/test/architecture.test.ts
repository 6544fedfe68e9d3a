import { type CommandPowers, spectrum } from '@spectrum/cli'
import { printGraph } from '@spectrum/unit-graph'
import { errAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { type KeptSink, powersWith } from './fakes.js'
import { graph } from './hosts.js'

const closing = { kind: 'none', message: 'this test opens no host' } as const

/** What a host was asked for by the command, and what was said. */
async function asked(...words: string[]) {
  const architectures: unknown[] = []
  const open: CommandPowers['openHost'] = ({ architecture }) => {
    architectures.push(architecture)
    return errAsync(closing)
  }
  const openGraphHost: CommandPowers['openGraphHost'] = ({ architecture }) => {
    architectures.push(architecture)
    return errAsync(closing)
  }
  const readGraph = async () => ({ kind: 'text', text: printGraph(graph) }) as const
  const { powers } = powersWith({ openHost: open, openGraphHost, readGraph })
  const status = await spectrum(words, powers)
  return { status, architectures, stderr: (powers.stderr as KeptSink).text }
}

const program = ['--closure', '/nix/store/abc-x', '--', '/bin/x']

describe('--arch', () => {
  it.each([
    ['x86_64', 'x86_64'],
    ['aarch64', 'aarch64'],
    ['ppc64le', 'powerpc64le'],
    ['powerpc64le', 'powerpc64le'],
  ])('%s opens a host for %s, for one command and for a graph', async (name, architecture) => {
    expect((await asked('run', '--arch', name, ...program)).architectures).toEqual([architecture])
    expect((await asked('up', 'graph.json', '--arch', name)).architectures).toEqual([architecture])
  })

  it('is this machine’s own unless it is given', async () => {
    expect((await asked('run', ...program)).architectures).toEqual([undefined])
    expect((await asked('up', 'graph.json')).architectures).toEqual([undefined])
  })

  it.each(['riscv64', 'arm64', '', 'constructor'])(
    '%j is refused before a host is opened, with those there are',
    async (name) => {
      for (const words of [
        ['run', `--arch=${name}`, ...program],
        ['up', 'graph.json', `--arch=${name}`],
      ]) {
        const { status, architectures, stderr } = await asked(...words)
        expect([status, architectures]).toEqual([2, []])
        expect(stderr).toContain(`x86_64, aarch64, ppc64le, powerpc64le, not "${name}"`)
      }
    },
  )
})
