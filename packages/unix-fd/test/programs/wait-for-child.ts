import { openPidfd } from '../../src/linux.js'

// Waits twice for a child that Node did not spawn and so does not reap: `wait-for-child PID REAP`.
const [pid, reap] = process.argv.slice(2)
using child = openPidfd(Number(pid))._unsafeUnwrap()
const wait = async () =>
  (await child.wait(AbortSignal.timeout(50_000), { reap: reap === 'true' })).match(
    (end): unknown => end,
    (error) => error.kind,
  )
console.log(JSON.stringify([await wait(), await wait()]))
