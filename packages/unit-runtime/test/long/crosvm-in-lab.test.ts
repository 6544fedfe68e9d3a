import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'

const checkout = fileURLToPath(new URL('../../../../', import.meta.url))
const program = fileURLToPath(new URL('./crosvm-unit.ts', import.meta.url))
const NONE = '0'.repeat(16)

/** The crosvm that `CROSVM` or the search path names. */
function findCrosvm(): string | undefined {
  const named = process.env['CROSVM']
  if (named !== undefined && named !== '') return named
  return (process.env['PATH'] ?? '')
    .split(':')
    .map((directory) => `${directory}/crosvm`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** What `crosvm-unit.ts` says. */
interface Said {
  readonly opened: { readonly kind: string; readonly accelerator: string }
  readonly started: object
  readonly processes: readonly {
    readonly role: string
    readonly seccomp: string
    readonly capabilities: string
    readonly noNewPrivileges: string
  }[]
  readonly ran: object
  readonly stdout: string
  readonly injected: { readonly added: readonly string[] }
  readonly listing: readonly string[]
  readonly looked: object
  readonly stderr: string
  readonly revoked: { readonly removed: readonly string[] }
  readonly gone: object
  readonly written: string
  readonly unwritten: string
  readonly refused: object
  readonly kept: object
  readonly end: object
  readonly leftovers: object
}

const binary = findCrosvm()
const title = 'a unit under a real crosvm, in the lab'
describe.skipIf(binary === undefined)(
  binary === undefined ? `${title} (skipped: neither CROSVM nor the search path names a crosvm)` : title,
  () => {
    let closures: Awaited<ReturnType<typeof buildDemoClosures>>
    /** What the program in the lab said, all in one object: each of its lines has names of its own. */
    let said: Said
    let after: readonly string[]

    beforeAll(async () => {
      closures = await buildDemoClosures()
      const { left, debugger: tool } = closures
      const argument = JSON.stringify({ binary, program: left, tool })
      const lab = spawn(
        process.execPath,
        [
          ...['packages/unit-monitor/lab/lab.mjs', 'x86_64', '--timeout', '1500'],
          ...['--env', 'TSX_TSCONFIG_PATH=tsconfig.base.json'],
          ...['--', 'node', '--import', 'tsx', program, argument],
        ],
        { cwd: checkout, stdio: ['ignore', 'pipe', 'inherit'] },
      )
      let output = ''
      lab.stdout.on('data', (bytes) => {
        output += bytes
      })
      const [code] = await once(lab, 'close')
      expect({ code, output }).toMatchObject({ code: 0 })
      const lines = output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      const listings = lines.flatMap(({ listing }) => (listing === undefined ? [] : [listing]))
      after = listings[1]
      said = Object.assign({}, ...lines, { listing: listings[0] })
    }, 1_600_000)

    it('boots in crosvm’s sandbox with only the devices that it needs', () => {
      expect(said.opened).toMatchObject({ kind: 'crosvm', accelerator: 'kvm' })
      expect(said.started).toMatchObject({ dax: true, injection: 'view', store: { shared: true } })
      const roles = said.processes.map(({ role }) => role)
      expect(roles[0]).toBe('crosvm')
      expect(roles.at(-1)).toBe('crosvm control port')
      const kinds = roles.slice(1, -1).map((role) => /^crosvm (?:pcivirtio-)?([a-z]+)/.exec(role)?.[1])
      expect(new Set(kinds)).toEqual(new Set(['serial', 'pmem', 'block']))
      for (const { role, seccomp, capabilities, noNewPrivileges } of said.processes) {
        const filtered = role !== 'crosvm' && role !== 'crosvm control port'
        expect({ role, seccomp, capabilities, noNewPrivileges }).toEqual({
          role,
          seccomp: filtered ? '2' : '0',
          capabilities: NONE,
          noNewPrivileges: '1',
        })
      }
    })

    it('runs commands', () => {
      expect(said.ran).toEqual({ kind: 'exited', code: 0 })
      expect(said.stdout).toContain('from crosvm')
    })

    it('is injected into by its view, which a process that ran before sees, and loses it again', () => {
      const name = closures.debugger.slice('/nix/store/'.length)
      expect(said.injected).toMatchObject({ way: 'view', devices: 0 })
      expect(said.injected.added).toContain(closures.debugger)
      expect(said.listing).toContain(name)
      expect(said.looked, said.stderr).toEqual({ kind: 'exited', code: 0 })
      expect(said.revoked.removed).toEqual(said.injected.added)
      expect(after).not.toContain(name)
      expect(said.gone).toMatchObject({ kind: 'not-started', reason: 'not-found' })
    })

    it('writes its volume and none that is read-only, which nobody else has meanwhile', () => {
      expect([said.written, said.unwritten]).toEqual(['done', 'read-only'])
      expect(said.refused).toMatchObject({ kind: 'volume-failed', unit: 'left', reason: 'in-use' })
    })

    it('finds on its volume what its last machine wrote, and room where it has grown', () => {
      expect(said.kept).toEqual({ note: 'kept', room: true, bytes: 64 * 2 ** 20 })
    })

    it('powers off in order, and leaves nothing', () => {
      expect(said.end).toEqual({ state: 'stopped', exit: { kind: 'powered-off' }, graceful: true })
      expect(said.leftovers).toEqual({ processes: [], sockets: [], mounts: [], files: [] })
    })
  },
)
