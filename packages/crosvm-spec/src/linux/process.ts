import { spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { childDescriptors } from '@spectrum/unix-fd/linux'
import type { ProcessEnd } from '../exit-status.js'
import type { CrosvmProcess, CrosvmProcesses, ProcessRequest } from '../spawn/powers.js'

const GROUP_POLL_MS = 5

/**
 * Processes that die with this program: `setpriv` (util-linux) asks the kernel for it and becomes crosvm. The kernel
 * ties them to the thread that spawns, so spawn from one that lives as long as the program. Devices of crosvm are
 * not tied to it: they end when their connection to the main process does.
 */
export function crosvmProcesses(searchPath: string): CrosvmProcesses {
  return {
    async spawn({ file, argv, descriptors }: ProcessRequest): Promise<CrosvmProcess> {
      await access(file, constants.X_OK)
      const setpriv = await find('setpriv', searchPath)
      const inherited = childDescriptors(descriptors)
      try {
        const child = spawn(setpriv, ['--pdeathsig', 'KILL', '--', file, ...argv], {
          // A group and a session of its own: crosvm may kill its whole group, and must have no terminal.
          detached: true,
          cwd: '/',
          env: {},
          stdio: ['ignore', 'ignore', 'pipe', ...inherited.stdio],
        })
        await new Promise<void>((resolve, reject) => {
          child.once('spawn', resolve)
          child.once('error', reject)
        })
        const pid = child.pid!
        // A kill(2) that fails is reported here; the process is gone then.
        child.on('error', () => {})
        const end = new Promise<ProcessEnd>((resolve) => {
          child.once('exit', (code, signal) => {
            resolve(signal === null ? { kind: 'exited', code: code ?? -1 } : { kind: 'signalled', signal })
          })
        })
        return {
          pid,
          stderr: child.stderr!,
          end,
          killGroup: () => void signalGroup(pid, 'SIGKILL'),
          groupGone: (signal) => groupGone(pid, signal),
        }
      } finally {
        inherited.release()
      }
    },
  }
}

/**
 * Whether there was somebody to signal. The number of a group that has had no process is given away again only
 * after all numbers have been round, and every call here follows the end of the leader within seconds.
 */
function signalGroup(group: number, signal: 'SIGKILL' | 0): boolean {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

/** Orphans are reaped by somebody else: there is no event for their end. */
async function groupGone(group: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && signalGroup(group, 0)) await sleep(GROUP_POLL_MS)
}

async function find(name: string, searchPath: string): Promise<string> {
  for (const directory of searchPath.split(':').filter((entry) => entry.startsWith('/'))) {
    const file = `${directory}/${name}`
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  throw new Error(`no ${name} on ${searchPath}: install util-linux`)
}
