import { escapeText, nixStore, openHost } from '@spectrum/unit-runtime'
import { injectDebugger } from './inject-debugger.js'
import { buildHanoi, debianGdb } from './programs.js'

const path = await buildHanoi()
const gdb = await debianGdb()
const opened = await openHost({ store: nixStore(), injection: true })
if (opened.isErr()) throw new Error(opened.error.message)
await using host = opened.value
console.log(`${host.monitor.kind}, ${host.monitor.accelerator}: ${host.monitor.why}`)

const report = await injectDebugger(host, { path, file: `${path}/bin/hanoi` }, gdb)
if (report.isErr()) throw new Error(report.error.message)
const { before, after, added, ended } = report.value
const show = (title: string, lines: readonly string[]) =>
  console.log(`\n${[title, ...lines.map(escapeText)].join('\n')}`)
show('injected into the running unit', added)
show('the stack, without debug information', before)
show('the stack, with it', after)
// Had the debugger hurt it, it would have ended by another signal, and earlier.
const ranOn = ended.kind === 'signalled' && ended.signal === 'SIGTERM'
console.log(ranOn ? '\nand the program ran on until it was told to end' : '\nbut the program is gone')
if (!ranOn || !after.some((line) => line.includes('hanoi.c:'))) process.exitCode = 1
