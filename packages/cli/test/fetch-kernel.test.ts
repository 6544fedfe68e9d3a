import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CommandPowers, type Failure, spectrum } from '@spectrum/cli'
import { errAsync, fromSafePromise, okAsync } from 'neverthrow'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fetchGuestKernel } from '../src/linux/guest-kernel.js'
import { type KeptSink, powersWith } from './fakes.js'

async function typed(fetchKernel: CommandPowers['fetchKernel'], ...words: string[]) {
  const { powers, interrupt } = powersWith({ fetchKernel })
  const status = spectrum(['fetch-kernel', ...words], powers)
  const text = (sink: unknown) => (sink as KeptSink).text
  return { interrupt, end: status.then((status) => [status, text(powers.stdout), text(powers.stderr)]) }
}

describe('spectrum fetch-kernel', () => {
  it('says what it does, and where the kernel is then', async () => {
    const { end } = await typed(({ say }) => {
      say('6.1.0-9\x1b[2J')
      return okAsync({ place: '/c/guest-kernel/current', isNew: true })
    })
    expect(await end).toEqual([0, 'fetched: /c/guest-kernel/current\n', '6.1.0-9\\x1b[2J\n'])
  })

  it('leaves a kernel that is there alone', async () => {
    const { end } = await typed(() => okAsync({ place: '/c/guest-kernel/current', isNew: false }))
    expect(await end).toEqual([0, 'there already: /c/guest-kernel/current\n', ''])
  })

  it('ends with 1 and the remedy when it cannot', async () => {
    const { end } = await typed(() =>
      errAsync({ kind: 'kernel-not-fetched', message: 'no network: plug it in' }),
    )
    expect(await end).toEqual([1, '', 'spectrum: no network: plug it in\n'])
  })

  it('ends at Ctrl-C with the status of its signal', async () => {
    const { interrupt, end } = await typed(({ signal }) => {
      const stopped = new Promise<Failure>((resolve) =>
        signal.addEventListener('abort', () => resolve({ kind: 'aborted', message: 'stopped' })),
      )
      return fromSafePromise(stopped).andThen((failure) => errAsync(failure))
    })
    interrupt('SIGINT')
    expect(await end).toEqual([130, '', ''])
  })

  it('takes no words', async () => {
    const { end } = await typed(() => okAsync({ place: '/k', isNew: false }), 'now')
    expect((await end)[0]).toBe(2)
  })
})

describe('the kernel in the cache', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('is found by the same rule as a set-up finds it', async () => {
    const place = await mkdtemp(join(tmpdir(), 'spectrum-kernel-'))
    try {
      vi.stubEnv('XDG_CACHE_HOME', place)
      vi.stubEnv('SPECTRUM_KERNEL', '')
      const kernels = join(place, 'spectrum/guest-kernel')
      await mkdir(join(kernels, '6.1.0-9/boot'), { recursive: true })
      await mkdir(join(kernels, '6.1.0-9/lib/modules/6.1.0-9'), { recursive: true })
      await writeFile(join(kernels, '6.1.0-9/boot/vmlinuz-6.1.0-9'), '')
      await writeFile(join(kernels, '6.1.0-9/lib/modules/6.1.0-9/modules.dep'), '')
      await symlink('6.1.0-9', join(kernels, 'current'))
      const said: string[] = []
      const fetched = await fetchGuestKernel({
        signal: new AbortController().signal,
        say: (line) => said.push(line),
      })
      expect(fetched._unsafeUnwrap()).toEqual({ place: join(kernels, 'current'), isNew: false })
      expect(said).toEqual([])
    } finally {
      await rm(place, { recursive: true, force: true })
    }
  })

  it('is refused with the remedy when only half of one is named', async () => {
    vi.stubEnv('SPECTRUM_KERNEL', '/no/vmlinuz')
    const fetched = await fetchGuestKernel({ signal: new AbortController().signal, say: () => {} })
    expect(fetched._unsafeUnwrapErr()).toEqual({
      kind: 'kernel-not-fetched',
      message: expect.stringMatching(/\/no\/vmlinuz, which does not exist: name both SPECTRUM_KERNEL=/),
    })
  })
})
