// A program of its own, which the test kills while it waits for a command.
import { runCommand } from '../src/linux/command.js'

const { signal } = new AbortController()
await runCommand({ file: 'sleep', argv: [process.argv[2]!], environment: {}, signal, maxOutputBytes: 1 })
