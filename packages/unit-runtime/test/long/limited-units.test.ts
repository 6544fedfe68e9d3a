import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { GroupUsage } from '@spectrum/unit-runtime'
import { beforeAll, describe, expect, it } from 'vitest'
import { bundle, programFolder } from '../../../kvm-ioctl/test/guest/lab/run-in-lab.js'
import { addProgram } from '../guest/real-store.js'

const checkout = fileURLToPath(new URL('../../../../', import.meta.url))
const MIB = 2 ** 20
const LAB_SECONDS = 480

/** What `limited-units.ts` says, all in one object: each of its lines has names of its own. */
interface Said {
  readonly refused: object
  readonly written: object
  readonly members: readonly number[]
  readonly processes: readonly number[]
  readonly before: { readonly greedy: GroupUsage; readonly modest: GroupUsage }
  readonly groups: readonly string[]
  readonly ate: string
  readonly greedy: { readonly state: string; readonly why: string; readonly failure: object }
  readonly modest: { readonly ran: object; readonly state: string; readonly group: GroupUsage }
  readonly left: readonly string[]
  readonly end: object
}

/** The lines that a program says in the lab; an error when it did not end well, with what it had said. */
async function linesFromLab(command: readonly string[]): Promise<readonly string[]> {
  const lab = [
    ...['packages/unit-monitor/lab/lab.mjs', 'x86_64'],
    ...['--timeout', String(LAB_SECONDS), '--memory', '3072', '--vcpus', '2', '--', ...command],
  ]
  const child = spawn(process.execPath, lab, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      if (process.env['SPECTRUM_LAB_ALOUD'] !== undefined) process.stdout.write(text)
    })
  const [code] = await once(child, 'close')
  if (code !== 0)
    throw new Error(`the lab ended with ${code}, and had said:\n${output.stdout}${output.stderr}`)
  return output.stdout.trim().split('\n')
}

describe('units with limits, on a kernel with control groups of version 2, in the lab', () => {
  let said: Said

  beforeAll(
    async () => {
      const eater = await addProgram('eat-memory', ['eat-memory.c'])
      const folder = programFolder()
      try {
        const program = await bundle(fileURLToPath(new URL('./limited-units.ts', import.meta.url)), folder)
        const lines = await linesFromLab(['node', program, eater])
        process.stdout.write(`${lines.join('\n')}\n`)
        said = Object.assign({}, ...lines.map((line) => JSON.parse(line)))
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    (LAB_SECONDS + 60) * 1_000,
  )

  it('have their machines in groups of their own, where the kernel has the limits as they were given', () => {
    expect(said.written).toEqual({
      'memory.max': String(384 * MIB),
      'cpu.weight': '50',
      'io.weight': 'default 20',
      'pids.max': '100',
    })
    expect(said.members.toSorted()).toEqual(said.processes.toSorted())
    expect(said.groups.toSorted()).toEqual([
      expect.stringMatching(/^greedy-\d$/),
      expect.stringMatching(/^modest-\d$/),
    ])
    expect(said.before.modest.cpuMs).toBeGreaterThan(0)
    expect(said.before.modest.tasks).toBeGreaterThan(1)
    expect(said.before.greedy.memoryBytes).toBeLessThan(256 * MIB)
  })

  it('fail of their limit, whole and alone, when their guests make them take more memory, and say so', () => {
    expect(said.ate).not.toBe('exited')
    expect(said.greedy).toMatchObject({
      state: 'failed',
      why: expect.stringContaining(`limits.memoryBytes, ${256 * MIB}`),
      failure: { kind: 'unit-died', exceeded: { limit: 'memoryBytes', value: 256 * MIB } },
    })
    expect(said.modest).toMatchObject({
      ...{ ran: { kind: 'exited', code: 0 }, state: 'running' },
      group: { killedForMemory: 0, tasksRefused: 0 },
    })
  })

  it('fail of their limit when their monitors may have no more threads, and say so', () => {
    expect(said.refused).toMatchObject({
      kind: 'unit-died',
      message: expect.stringContaining('limits.pids, 1;'),
      exceeded: { limit: 'pids', value: 1 },
    })
  })

  it('lose their groups with their machines, and all with the host', () => {
    expect(said.left).toEqual([expect.stringMatching(/^modest-\d$/)])
    expect(said.end).toEqual({
      groups: [],
      leftovers: { processes: [], sockets: [], mounts: [], files: [] },
    })
  })
})
