import { randomFillSync } from 'node:crypto'
import { unixFd } from '@spectrum/unix-fd/linux'
import { runViewProgram } from '../view/control/program.js'
import { clock } from './process.js'

// The program of a view: `view-program CONTROL`. It connects to its host's socket and does what it is told there;
// whatever it may read comes that way.
const [path = ''] = process.argv.slice(2)
const descriptors = unixFd()
if (descriptors.isErr()) fail(descriptors.error.message)
const control = descriptors.value.connect(path, 'seqpacket')
if (control.isErr()) fail(`cannot reach the host: ${control.error.message}`)
const fillRandom = (words: Uint32Array) => {
  randomFillSync(words)
}
void runViewProgram(control.value, { descriptors: descriptors.value, clock, fillRandom }).then((end) =>
  process.exit(end === 'host-gone' ? 0 : 1),
)

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
