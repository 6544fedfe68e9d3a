import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openDescriptors, openedSince } from '../../unix-fd/test/held.js'
import { type KvmProbePowers, probeKvm as probeWith, x86_64 } from '../src/index.js'
import { kvmProbePowers, probeKvm, runProbeProcess } from '../src/linux.js'

/** Powers whose probing process is this program. */
function probing(program: string): KvmProbePowers {
  return { ...kvmProbePowers, runProbeProcess: (signal) => runProbeProcess(['-e', program], signal) }
}

function oracle(): { api: number; runs: boolean; capabilities: Map<number, number> } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'kvm-oracle-'))
  try {
    const program = join(folder, 'oracle')
    const source = fileURLToPath(new URL('native/oracle.c', import.meta.url))
    const bounded = { timeout: 50_000, killSignal: 'SIGKILL' } as const
    execFileSync('cc', ['-Wall', '-Wextra', '-Werror', '-o', program, source], bounded)
    const output = execFileSync(program, bounded).toString()
    if (output.startsWith('closed')) return undefined
    const capabilities = [...output.matchAll(/^capability (\d+) (\d+)$/gm)]
    return {
      api: Number(output.match(/^api (\d+)$/m)?.[1]),
      runs: output.includes('runs 1'),
      capabilities: new Map(capabilities.map(([, number, answer]) => [Number(number), Number(answer)])),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('probing KVM', () => {
  test('finds what a C program finds on this machine, capability by capability', async () => {
    const expected = oracle()
    const before = openDescriptors()
    const probe = (await probeKvm())._unsafeUnwrap()
    await expect.poll(() => openedSince(before)).toEqual([])
    if (expected === undefined) {
      expect(['absent', 'no-permission']).toContain(probe.kind)
      return
    }
    expect(probe.kind).toBe(expected.runs ? 'runs-code' : 'unusable')
    if (probe.kind !== 'runs-code') return
    expect(probe.apiVersion).toBe(expected.api)
    const known = new Set<number>(Object.values(x86_64.capabilities))
    const numbered = Object.entries(probe.capabilities).map(
      ([name, answer]) => [x86_64.capabilities[name as keyof typeof x86_64.capabilities], answer] as const,
    )
    expect(new Map(numbered)).toEqual(
      new Map([...expected.capabilities].filter(([number]) => known.has(number))),
    )
  })

  test('gives a guest that never comes back until the deadline, and leaves no process', async () => {
    const hangs =
      'console.log(JSON.stringify({ step: "KVM_RUN", pid: process.pid })); setInterval(() => {}, 1000)'
    let lines: readonly string[] = []
    const powers: KvmProbePowers = {
      ...kvmProbePowers,
      runProbeProcess: async (signal) => {
        const end = await runProbeProcess(['-e', hangs], signal)
        lines = end.lines
        return end
      },
    }
    const probe = (await probeWith(powers, { deadlineMs: 3_000 }))._unsafeUnwrap()
    expect(probe).toMatchObject({ kind: 'unusable', step: 'KVM_RUN' })
    expect(probe.message).toContain('does not come back within 3000 ms')
    const { pid } = JSON.parse(lines[0]!) as { pid: number }
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })

  test('names the step that took the process with it', async () => {
    const dies = `console.log('{"step":"KVM_CREATE_VM"}'); process.kill(process.pid, 'SIGSEGV')`
    const probe = (await probeWith(probing(dies)))._unsafeUnwrap()
    expect(probe).toMatchObject({ kind: 'unusable', step: 'KVM_CREATE_VM' })
    expect(probe.message).toContain('SIGSEGV')
  })

  test('tells a broken installation from broken KVM', async () => {
    const silent = await probeWith(probing('process.exit(3)'))
    expect(silent._unsafeUnwrapErr()).toMatchObject({
      kind: 'probe-failed',
      message: expect.stringContaining('exit 3'),
    })
  })

  test('ends when its caller aborts, before or while it runs', async () => {
    expect((await probeKvm({ signal: AbortSignal.abort() }))._unsafeUnwrapErr().kind).toBe('aborted')
    const hangs = probing('setInterval(() => {}, 1000)')
    const late = await probeWith(hangs, { signal: AbortSignal.timeout(100) })
    expect(late._unsafeUnwrapErr().kind).toBe('aborted')
  })

  test('is honest about architectures that it has no guest for', async () => {
    const powers = { ...kvmProbePowers, architecture: 'ppc64' }
    expect((await probeWith(powers))._unsafeUnwrap()).toMatchObject({
      kind: 'unsupported-architecture',
      architecture: 'ppc64',
    })
  })

  test('holds only so much of what the process says', async () => {
    const chatty = 'for (;;) require("fs").writeSync(1, "x".repeat(65536) + "\\n")'
    const result = await probeWith(probing(chatty), { deadlineMs: 300 })
    expect(result._unsafeUnwrapErr().kind).toBe('probe-failed')
  })
})
