import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A program that connects like QEMU and then misbehaves on purpose. `behaviour` is the body of an async
 * function of `{ connect, qmp, say, wait }`; it runs in a process of its own, with its own node.
 */
export function stubQemu(directory: string, behaviour: string): string {
  const path = join(directory, `stub-${Math.random().toString(36).slice(2)}.cjs`)
  writeFileSync(
    path,
    `#!${process.execPath}
const net = require('node:net')
const option = (id) => process.argv.find((a) => a.startsWith('socket,id=' + id)).match(/path=([^,]*)/)[1]
const connect = (id) => new Promise((resolve, reject) => {
  const socket = net.connect(option(id), () => resolve(socket)).on('error', reject)
})
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
/** Answers each command by \`answers[name]\`: an object to send, or undefined for silence. */
const serve = (socket, answers) => {
  socket.write('{"QMP": {"version": {}, "capabilities": []}}\\r\\n')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
    for (let end; (end = text.indexOf('\\n')) !== -1; text = text.slice(end + 1)) {
      const { execute, id, arguments: args } = JSON.parse(text.slice(0, end))
      console.error('command', execute, JSON.stringify(args))
      const answer = execute in answers ? answers[execute] : { return: {} }
      if (answer !== undefined) socket.write(JSON.stringify({ ...answer, id }) + '\\r\\n')
    }
  })
}
;(async () => { ${behaviour} })()
setTimeout(() => {}, 60_000)
`,
  )
  chmodSync(path, 0o755)
  return path
}
