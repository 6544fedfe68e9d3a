import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Attachment, Closure, StoreSource } from '../../src/index.js'
import { openBlobCache } from '../../src/linux.js'
import { extractImage, inventory, LoopMount, run, whyNoLoopMount } from './real-store.js'

const noLoopMount = whyNoLoopMount()

async function attach(
  directory: string,
  store: StoreSource,
  closure: Closure,
  budget?: number,
): Promise<Attachment> {
  const cache = (await openBlobCache(directory, { locate: store.locate }))._unsafeUnwrap()
  const attachment = await cache.attach(closure, budget === undefined ? {} : { deviceBudget: budget })
  return attachment._unsafeUnwrap()
}

/** Everything that every closure must pass, whatever it holds. */
export function agreesWithItsOracles(
  prepare: () => { store: StoreSource; closure: Closure },
  budget?: number,
) {
  const scratch = mkdtempSync(join(tmpdir(), 'store-share-'))
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))
  let attachment: Attachment
  let store: StoreSource
  beforeAll(async () => {
    const { closure } = prepare()
    store = prepare().store
    attachment = await attach(join(scratch, 'cache'), store, closure, budget)
  })

  const comparesEqual = (root: string, canonical: boolean) => {
    for (const { path } of attachment.closure.paths) {
      const expected = inventory(store.locate(path), canonical)
      expect(inventory(join(root, path.slice('/nix/store/'.length)), canonical)).toEqual(expected)
    }
  }

  it('is extracted by fsck.erofs to the same contents, modes and links', () => {
    const to = mkdtempSync(join(scratch, 'extracted-'))
    extractImage(attachment, join(to, 'root'))
    expect(run('ls', '-A', join(to, 'root')).split('\n')).toEqual(attachment.names)
    comparesEqual(join(to, 'root'), false)
  })

  it.skipIf(noLoopMount)(
    `is mounted by the kernel with the same contents, modes, links, owners and times${noLoopMount ? ` (skipped where ${noLoopMount})` : ''}`,
    () => {
      const mount = new LoopMount(attachment)
      try {
        expect(run('ls', '-A', mount.directory).split('\n')).toEqual(attachment.names)
        comparesEqual(mount.directory, true)
      } finally {
        mount[Symbol.dispose]()
      }
    },
  )

  it('has the same bytes when it is built again, elsewhere and from its paths in another order', async () => {
    const { closure } = prepare()
    const backwards = { ...closure, paths: [...closure.paths].reverse(), roots: [...closure.roots].reverse() }
    const again = await attach(join(scratch, 'another-cache'), store, backwards, budget)
    expect(again.names).toEqual(attachment.names)
    const [first, second] = [attachment, again].map(({ metadata, blobs }) =>
      [metadata, ...blobs].map(({ file }) => file),
    )
    expect(second!.map((file) => basename(file))).toEqual(first!.map((file) => basename(file)))
    for (const [index, file] of first!.entries()) run('cmp', file, second![index]!)
  })
}
