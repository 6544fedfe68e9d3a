import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A program that connects like crosvm and then misbehaves on purpose: `run` is the body of an async function of
 * `{ connect, meet }` for the machine, `port` one for the process of its control port. By default that one connects
 * and ends with the machine.
 */
export function stubCrosvm(directory: string, run: string, port = PORT): string {
  const path = join(directory, `stub-${Math.random().toString(36).slice(2)}.cjs`)
  writeFileSync(
    path,
    `#!${process.execPath}
const net = require('node:net')
const argv = process.argv.slice(2)
const value = (option) => argv.find((each) => each.startsWith(option + '=')).slice(option.length + 1)
const key = (text, name) => text.match(new RegExp('(?:^|,)' + name + '=([^,]*)'))[1]
const connect = (path) => new Promise((resolve, reject) => {
  const socket = net.connect(path, () => resolve(socket)).on('error', reject)
})
/** As crosvm waits for its vhost-user backend. */
const meet = async () => {
  for (;;) {
    try { return await connect(key(value('--vhost-user'), 'socket')) }
    catch { await new Promise((resolve) => setTimeout(resolve, 10)) }
  }
}
const console_ = () => connect(key(value('--serial'), 'path'))
const control = () => connect(key(value('--port'), 'path'))
if (argv[0] !== '--extended-status') throw new Error('statuses are not extended')
if (argv.includes('device')) (async () => { ${port} })()
else (async () => { ${run} })()
setTimeout(() => {}, 60_000)
`,
  )
  chmodSync(path, 0o755)
  return path
}

const PORT = `
  net.createServer((machine) => machine.on('close', () => process.exit(0)).resume()).listen(value('--socket-path'))
  const host = await control()
  host.on('error', () => {}).pipe(host)`
