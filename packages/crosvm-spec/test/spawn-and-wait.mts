/** Starts a machine (JSON) with a binary, prints its pid and waits to be killed. */
import { fakeHost } from '../src/fake.js'
import { crosvmSpec } from '../src/index.js'
import { linuxSpawnPowers } from '../src/linux.js'
import { spawnCrosvm } from '../src/spawn.js'

const [binary, machine] = process.argv.slice(2) as [string, string]
const spec = crosvmSpec(JSON.parse(machine))._unsafeUnwrap()
const powers = { ...linuxSpawnPowers()._unsafeUnwrap(), host: fakeHost(spec), probe: undefined }
const started = (await spawnCrosvm(spec, powers, { binary, timeoutMs: 50_000 }))._unsafeUnwrap()
console.log(started.pid)
await started.ended
