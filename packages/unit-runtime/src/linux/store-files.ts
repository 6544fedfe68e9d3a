import { constants } from 'node:fs'
import { open, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { StoreFiles } from '../powers.js'

const ABSENT = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENXIO']

export const linuxStoreFiles: StoreFiles = {
  list: (directory) => readdir(directory),
  async open(root, relative) {
    try {
      const [top, path] = await Promise.all([realpath(root), realpath(join(root, relative))])
      if (!path.startsWith(`${top}/`)) return undefined
      // A pipe in its place must not hold anybody up.
      const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      const stat = await handle.stat().catch(async (cause: unknown) => {
        await handle.close()
        throw cause
      })
      if (!stat.isFile()) {
        await handle.close()
        return undefined
      }
      return {
        sizeBytes: stat.size,
        async read(offset, length) {
          const bytes = new Uint8Array(length)
          let filled = 0
          while (filled < length) {
            const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled)
            if (bytesRead === 0) break
            filled += bytesRead
          }
          return bytes.subarray(0, filled)
        },
        [Symbol.asyncDispose]: () => handle.close(),
      }
    } catch (cause) {
      if (ABSENT.includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
      throw cause
    }
  },
}
