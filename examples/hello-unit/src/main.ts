import { escapeText, nixStore, openHost } from '@spectrum/unit-runtime'
import { debianPrograms } from '../../debian-programs/src/debian-programs.js'
import { helloUnit } from './hello-unit.js'

const [program, ...words] = process.argv.slice(2)
const uname = async () => (await debianPrograms('uname', ['/usr/bin/uname'])).argv('uname', '-srm')
const argv = program === undefined ? await uname() : ([program, ...words] as const)

const opened = await openHost({ store: nixStore() })
if (opened.isErr()) throw new Error(opened.error.message)
await using host = opened.value // Its units are stopped, and nothing of them is left, when this program ends.
console.log(`${host.monitor.kind}, ${host.monitor.accelerator}: ${host.monitor.why}`)

const ran = await helloUnit(host, argv)
if (ran.isErr()) throw new Error(ran.error.message)
const { outcome, stdout, stderr } = ran.value
// What a unit says may hold anything: a terminal is shown it, and does not obey it.
for (const line of new TextDecoder().decode(stdout).trimEnd().split('\n')) console.log(escapeText(line))
if (stderr.length > 0) console.error(escapeText(new TextDecoder().decode(stderr)))
if (outcome.kind !== 'exited' || outcome.code !== 0) {
  console.error(outcome)
  process.exitCode = 1
}
