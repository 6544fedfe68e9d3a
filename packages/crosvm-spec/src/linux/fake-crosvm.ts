/** The executable: `fake-crosvm --extended-status run …`, told to misbehave by kernel parameters. */
import process from 'node:process'
import { unixFd } from '@spectrum/unix-fd/linux'
import { runFakeCrosvm } from '../fake.js'
import { linuxControlPowers } from '../linux.js'

const ARCHITECTURES = { x64: 'x86_64', arm64: 'aarch64', riscv64: 'riscv64' } as const
const architecture = ARCHITECTURES[process.arch as keyof typeof ARCHITECTURES] ?? 'x86_64'

const sockets = unixFd()._unsafeUnwrap()
const { clock } = linuxControlPowers()._unsafeUnwrap()
const end = await runFakeCrosvm(
  process.argv.slice(2),
  {
    sockets,
    clock,
    architecture,
    print: (text) => process.stdout.write(text),
    log: (line) => process.stderr.write(`${line}\n`),
  },
  new AbortController().signal,
)
if (end.kind === 'signalled') process.kill(process.pid, end.signal)
else process.exit(end.code)
