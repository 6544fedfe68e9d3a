// A process of its own, which the test kills: builds one blob from a file that it reads at leisure.
import type { StorePathInfo } from '../../src/index.js'
import { openBlobCache } from '../../src/index.js'
import { cacheFiles, clock, openFiles, processOwners, treeReader } from '../../src/linux.js'

const [directory = '', location = ''] = process.argv.slice(2)
const info: StorePathInfo = {
  path: `/nix/store/${'1'.repeat(32)}-slow`,
  narHash: '1'.repeat(64),
  narSize: 1,
  references: [],
}
const tree = {
  ...treeReader,
  open: async (path: string) => {
    const file = await treeReader.open(path)
    return {
      close: () => file.close(),
      read: async (buffer: Uint8Array, position: number) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        return file.read(buffer, position)
      },
    }
  },
}
const powers = { clock, tree, files: cacheFiles, owners: await processOwners(), openFiles }
const cache = (await openBlobCache(powers, directory, { locate: () => location }))._unsafeUnwrap()
await cache.blob(info)
