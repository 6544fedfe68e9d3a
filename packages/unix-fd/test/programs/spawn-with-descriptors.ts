import { spawnSync } from 'node:child_process'
import { openSync } from 'node:fs'
import { childDescriptors } from '../../src/linux.js'

// Whatever this program inherited: `ls` gets this file as 9 and as 41, and nothing else from 3 on.
const file = openSync('/etc/hostname', 'r')
const given = childDescriptors(
  new Map([
    [9, file],
    [41, file],
  ]),
)
const { stdout } = spawnSync('ls', ['-l', '/proc/self/fd'], {
  encoding: 'utf8',
  timeout: 30_000,
  killSignal: 'SIGKILL',
  stdio: ['ignore', 'pipe', 'inherit', ...given.stdio],
})
given.release()
process.stdout.write(stdout)
