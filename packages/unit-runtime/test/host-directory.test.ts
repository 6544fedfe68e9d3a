import { fakeHostPowers, memoryFiles, memoryStore } from '@spectrum/unit-runtime/fake'
import { err } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { HostDirectory } from '../src/host-directory.js'
import { openHostWith } from '../src/open-host.js'
import type { HostFiles } from '../src/powers.js'

const places = { state: '/fake/state', cache: '/fake/cache' }
const full = () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }))

/** Files that count their open journals. */
function countingFiles(change: Partial<HostFiles> & { readonly append?: () => Promise<void> } = {}) {
  const { append, ...files } = change
  const inner = memoryFiles()
  const counting = {
    ...inner,
    openJournals: 0,
    async openJournal(path: string) {
      const log = await inner.openJournal(path)
      counting.openJournals += 1
      let open = true
      return {
        append: append ?? ((line: string) => log.append(line)),
        async close() {
          if (open) counting.openJournals -= 1
          open = false
        },
      }
    },
    ...files,
  }
  return counting
}

describe('the directory of a host', () => {
  it('keeps no descriptor and no file when its journal takes no record', async () => {
    const files = countingFiles({ append: full })
    const powers = { ...fakeHostPowers({ store: {} }), files }
    await expect(HostDirectory.create(powers, places, () => {})).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(files.openJournals).toBe(0)
    expect(files.paths().filter((path) => path.startsWith('/fake/state/hosts/'))).toEqual([])
  })

  it('keeps no descriptor when it cannot be removed', async () => {
    const files = countingFiles({ remove: full })
    const powers = { ...fakeHostPowers({ store: {} }), files }
    const refused = { kind: 'kernel-missing', message: 'no kernel' } as const
    const guest = { ...powers.guest, initramfs: () => err(refused).asyncMap(async (never) => never) }
    const opened = await openHostWith({ ...powers, guest }, places, { store: memoryStore({}) })
    expect(opened._unsafeUnwrapErr()).toEqual(refused)
    expect(files.openJournals).toBe(0)
  })

  it('is removed by a second stop when the first one could not', async () => {
    const files = countingFiles()
    const host = (
      await openHostWith({ ...fakeHostPowers({ store: {} }), files }, places, { store: memoryStore({}) })
    )._unsafeUnwrap()
    const { remove } = files
    files.remove = full
    expect((await host.stop())._unsafeUnwrapErr()).toMatchObject({ kind: 'state', code: 'ENOSPC' })
    files.remove = remove
    expect((await host.stop()).isOk()).toBe(true)
    expect(files.openJournals).toBe(0)
    expect(files.paths().filter((path) => path.startsWith('/fake/state/hosts/'))).toEqual([])
  })
})
