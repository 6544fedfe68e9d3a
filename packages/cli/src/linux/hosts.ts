import { stat } from 'node:fs/promises'
import { openBlobCache } from '@spectrum/store-share/linux'
import { connectControl, findServedHosts } from '@spectrum/unit-runtime/control'
import { defaultPlaces } from '@spectrum/unit-runtime/linux'
import { err } from 'neverthrow'
import type { CommandPowers, RunningHosts } from '../powers.js'

export const runningHosts: RunningHosts = {
  find: () => findServedHosts(),
  async socketOf(path) {
    const isSocket = await stat(path).then(
      (facts) => facts.isSocket(),
      () => false,
    )
    return isSocket ? path : `${path.replace(/\/+$/, '')}/control`
  },
  connect: (socket, signal) => connectControl(socket, { signal }),
}

/** What units map is leased or open, whoever runs them: the cache itself finds that out. */
export const collectCache: CommandPowers['collect'] = ({ dryRun, signal }) =>
  openBlobCache(`${defaultPlaces(process.env).cache}/blobs`).andThen((cache) =>
    cache
      .collect({ dryRun, signal })
      .andThen((collected) => cache.close().map(() => collected))
      .orElse((error) => cache.close().andThen(() => err(error))),
  )
