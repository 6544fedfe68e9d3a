/** Starts a fake crosvm, prints its pid and waits to be killed. */
import { fakeHost } from '../src/fake.js'
import { crosvmSpec } from '../src/index.js'
import { linuxSpawnPowers } from '../src/linux.js'
import { spawnCrosvm } from '../src/spawn.js'

const [binary, socket] = process.argv.slice(2) as [string, string]
const powers = linuxSpawnPowers()._unsafeUnwrap()
const spec = crosvmSpec({
  architecture: 'x86_64',
  boot: { kind: 'kernel', path: '/k' },
  socket,
})._unsafeUnwrap()
const machine = (
  await spawnCrosvm(
    spec,
    { ...powers, host: fakeHost(spec), probe: undefined },
    { binary, timeoutMs: 50_000 },
  )
)._unsafeUnwrap()
console.log(machine.pid)
await machine.ended
