// npm run docs:serve [-- --port N]: shows the built site on this machine alone.
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { answerFrom } from './answer.mjs'
import { output } from './places.mjs'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })
const port = Number(values.port)
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  process.stderr.write(`--port takes a whole number up to 65535, not "${values.port}"\n`)
  process.exit(2)
}
if (!existsSync(output)) {
  process.stderr.write('there is no site yet: npm run docs\n')
  process.exit(1)
}
const server = createServer(answerFrom(output))
server.on('error', (error) => {
  process.stderr.write(`${error.message}: choose another one with -- --port N\n`)
  process.exit(1)
})
server.listen(port, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`))
