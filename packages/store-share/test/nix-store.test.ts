import { describe, expect, it } from 'vitest'
import { type CommandOutcome, type CommandRequest, nixStore } from '../src/index.js'
import { clock } from '../src/linux.js'
import { storePath } from './memory-store.js'

const [a, b, c] = ['1', '2', '3'].map((digit) => storePath(digit, `p${digit}`)) as [string, string, string]
const hash = `sha256-${Buffer.alloc(32, 7).toString('base64')}`
const entry = (references: readonly string[]) => ({ narHash: hash, narSize: 120, references })
const exited = (code: number, stdout: string, stderr = ''): CommandOutcome => ({
  kind: 'exited',
  code,
  stdout: Buffer.from(stdout),
  stderr: Buffer.from(stderr),
})

/** A store whose command answers as told, and whose disk holds everything but `gone`. */
function scripted(answer: unknown, gone: readonly string[] = []) {
  const requests: CommandRequest[] = []
  const store = nixStore(
    {
      clock,
      run: async (request) => {
        requests.push(request)
        if (typeof answer === 'object' && answer !== null && 'kind' in answer) return answer as CommandOutcome
        return exited(0, typeof answer === 'string' ? answer : JSON.stringify(answer))
      },
      tree: { kindOf: async (path) => (gone.includes(path) ? undefined : 'directory') },
    },
    { root: '/relocated/' },
  )
  return { store, requests }
}

const list = [
  { path: b, ...entry([b]) },
  { path: a, ...entry([a, b]), ca: `text:sha256:${'0'.repeat(52)}` },
]

describe('the closure of a store path', () => {
  it('is asked of nix by argument vector, with its configuration, in the relocated store', async () => {
    const { store, requests } = scripted(list)
    await store.closure([a])
    expect(requests).toHaveLength(1)
    expect(requests[0]).toMatchObject({
      file: 'nix',
      argv: ['path-info', '--json', '--recursive', '--store', '/relocated/', a],
      environment: {
        NIX_CONFIG: 'experimental-features = nix-command\nbuild-users-group =\nsubstituters =',
      },
    })
    expect(store.locate(a)).toBe(`/relocated${a}`)
  })

  const base = (path: string) => path.slice('/nix/store/'.length)
  it.each([
    ['the list of 2.8', list],
    ['the map of 2.19', { [b]: entry([b]), [a]: entry([a, b]) }],
    [
      'the versioned form of 2.33',
      {
        version: 2,
        storeDir: '/nix/store',
        info: { [base(b)]: entry([base(b)]), [base(a)]: entry([base(a), base(b)]) },
      },
    ],
  ])('is read from %s', async (_, answer) => {
    const closure = (await scripted(answer).store.closure([a]))._unsafeUnwrap()
    const common = { narHash: '07'.repeat(32), narSize: 120 }
    expect(closure).toMatchObject({
      roots: [a],
      paths: [
        { path: a, ...common, references: [b] },
        { path: b, ...common, references: [] },
      ],
    })
  })

  it('of nothing is empty and runs no command', async () => {
    const { store, requests } = scripted(list)
    expect((await store.closure([]))._unsafeUnwrap()).toEqual({ roots: [], paths: [] })
    expect(requests).toHaveLength(0)
  })

  it('refuses a path inside a store path before running anything, and names the store path', async () => {
    const { store, requests } = scripted(list)
    const error = (await store.closure([`${a}/bin/x`]))._unsafeUnwrapErr()
    expect(error.kind).toBe('not-a-store-path')
    expect(error.message).toContain(a)
    expect(requests).toHaveLength(0)
  })

  it('refuses an option in place of a path', async () => {
    expect((await scripted(list).store.closure(['--eval']))._unsafeUnwrapErr().kind).toBe('not-a-store-path')
  })

  it.each([
    ['its message', exited(1, '', `error: path '${a}' is not valid`), 'missing-path', a],
    ['`valid`', [{ path: a, valid: false }], 'missing-path', a],
    ['null', { [a]: null }, 'missing-path', a],
    ['its absence', [list[0]], 'missing-path', a],
    [
      'a message about another path',
      exited(1, '', `error: path '${b}' is not valid`),
      'missing-reference',
      b,
    ],
  ] as const)('tells a path that is not valid by %s', async (_, answer, kind, path) => {
    expect((await scripted(answer).store.closure([a]))._unsafeUnwrapErr()).toMatchObject({ kind, path })
  })

  it('with a reference that the store does not know is refused, naming both', async () => {
    const error = (await scripted([{ path: a, ...entry([c]) }]).store.closure([a]))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'missing-reference', path: c, referrer: a })
  })

  it('with a path whose data is gone is refused, naming who needs it', async () => {
    const error = (await scripted(list, [`/relocated${b}`]).store.closure([a]))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'missing-reference', path: b, referrer: a })
    expect(error.message).toContain('its data is gone')
  })

  it.each([
    ['not JSON', '{'],
    ['a number', '7'],
    ['a bad hash', [{ path: a, narHash: 'md5-x', narSize: 1, references: [] }]],
    ['no size', [{ path: a, narHash: hash, references: [] }]],
    ['a reference outside of the store', [{ path: a, ...entry(['/etc/passwd']) }]],
    ['another store', { version: 2, storeDir: '/gnu/store', info: {} }],
  ])('is not guessed from %s', async (_, answer) => {
    expect((await scripted(answer).store.closure([a]))._unsafeUnwrapErr().kind).toBe('store-command')
  })

  it('says how to get nix when there is none', async () => {
    const error = (await scripted({ kind: 'not-found' }).store.closure([a]))._unsafeUnwrapErr()
    expect(error.kind).toBe('store-command')
    expect(error.message).toContain('nix-bin')
  })

  it('passes on what nix said when it failed, escaped', async () => {
    const error = (
      await scripted(exited(1, '', 'error: \u001b[31mbroken')).store.closure([a])
    )._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'store-command', stderr: 'error: \\x1b[31mbroken' })
  })

  describe('when nix hangs', () => {
    const hanging = nixStore({
      clock,
      run: ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ kind: 'killed', stderr: new Uint8Array() }))
        }),
      tree: { kindOf: async () => 'directory' },
    })

    it('ends at its deadline', async () => {
      const error = (await hanging.closure([a], { deadlineMs: 20 }))._unsafeUnwrapErr()
      expect(error.kind).toBe('timed-out')
    })

    it('ends when it is aborted', async () => {
      const controller = new AbortController()
      const closure = hanging.closure([a], { signal: controller.signal })
      controller.abort()
      expect((await closure)._unsafeUnwrapErr().kind).toBe('aborted')
    })
  })
})
