import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { type CrosvmProbe, createProbe } from './probe.js'

/** A probe of real binaries. Keep one: it remembers what it asked. */
export function linuxProbe(): CrosvmProbe {
  return createProbe({
    read: async (path, signal) => createReadStream(path, { signal }),
    help: (path, signal) =>
      new Promise((resolve, reject) => {
        const limits = { signal, killSignal: 'SIGKILL', maxBuffer: 1 << 20, env: {} } as const
        execFile(path, ['run', '--help'], limits, (error, stdout) => {
          if (error) reject(error)
          else resolve(stdout)
        })
      }),
  })
}
