// A program of its own: it hashes what its argument names, and ends.
import { hashNar } from '../../src/linux.js'

console.log((await hashNar(process.argv[2]!))._unsafeUnwrap().narHash)
const told = performance.now()
process.on('exit', () => console.log(performance.now() - told < 5000 ? 'ended' : 'lingered'))
