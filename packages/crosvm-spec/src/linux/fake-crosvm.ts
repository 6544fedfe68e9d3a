#!/usr/bin/env node
/** The executable: `fake-crosvm --extended-status run …`, told to misbehave by kernel parameters. */
import process from 'node:process'
import { unixFd } from '@spectrum/unix-fd/linux'
import { runFakeCrosvm } from '../fake.js'
import { linuxControlPowers } from '../linux.js'

const ARCHITECTURES = { x64: 'x86_64', arm64: 'aarch64', riscv64: 'riscv64' } as const

async function main(): Promise<void> {
  const end = await runFakeCrosvm(
    process.argv.slice(2),
    {
      sockets: unixFd()._unsafeUnwrap(),
      clock: linuxControlPowers()._unsafeUnwrap().clock,
      architecture: ARCHITECTURES[process.arch as keyof typeof ARCHITECTURES] ?? 'x86_64',
      print: (text) => process.stdout.write(text),
      log: (line) => process.stderr.write(`${line}\n`),
    },
    new AbortController().signal,
  )
  if (end.kind === 'signalled') process.kill(process.pid, end.signal)
  else process.exitCode = end.code
}

void main()
