import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { UnixSocket } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import { INBOX_ROOM, type Load, MOST_FDS, talk, talkWithPromises } from './echo/conversation.js'

// What a message costs there and back between two Node processes, against two processes in C, compiled and
// measured in the same run: once with blocking calls, which is the least that any program can do, and once with
// epoll, as a program has to that has other things to do as well. Interleaved; medians.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 21)
const MESSAGES = Number(process.env['BENCH_MESSAGES'] ?? 6_000)
const BYTES = 64
const WINDOW = 32
const json = process.argv.includes('--json')

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'bench-unix-fd-'))
const descriptors = unixFd()._unsafeUnwrap()
const inbox = descriptors.createInbox(INBOX_ROOM)._unsafeUnwrap()
const payload = new Uint8Array(BYTES).fill(7)
const files = Array.from({ length: MOST_FDS }, () => descriptors.adopt(openSync('/dev/null', 'r+')))
const forever = new AbortController().signal

function compilePeer(): string {
  const binary = join(scratch, 'pair')
  const [compiler = 'cc', ...flags] = (process.env['CC'] || 'cc').split(/\s+/).filter(Boolean)
  execFileSync(compiler, [...flags, '-O2', '-o', binary, here('echo/pair.c')], { stdio: 'inherit' })
  return binary
}

interface Pair {
  readonly socket: UnixSocket
  readonly child: ChildProcess
}

function startPair(style: 'callbacks' | 'promises'): Pair {
  const [left, right] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
  const argv = [...process.execArgv, here('echo/program.ts'), style]
  const stdio = ['ignore', 'inherit', 'inherit', right.fd.number] as const
  const child = spawn(process.execPath, argv, { stdio: [...stdio] })
  right.close()
  return { socket: left, child }
}

const peerBinary = compilePeer()
const pairs = { callbacks: startPair('callbacks'), promises: startPair('promises') }

const measurements = [
  { title: 'round trip', window: 1, style: 'callbacks' },
  { title: 'round trip, promises', window: 1, style: 'promises' },
  { title: 'messages', window: WINDOW, style: 'callbacks' },
  { title: 'messages, promises', window: WINDOW, style: 'promises' },
] as const
const cases = [0, 1, MOST_FDS].flatMap((fds) =>
  measurements.map((measurement) => ({
    ...measurement,
    fds,
    messages: fds === MOST_FDS ? MESSAGES >> 2 : MESSAGES,
    ours: [] as number[],
    blocking: [] as number[],
    epoll: [] as number[],
  })),
)
type Case = (typeof cases)[number]

/** Nanoseconds per message, there and back. */
async function ours({ fds, style, window, messages }: Case, count = messages): Promise<number> {
  const load: Load = { messages: count, window, payload, fds: files.slice(0, fds) }
  const { socket } = pairs[style]
  const run = style === 'promises' ? talkWithPromises(socket, load, forever) : talk(socket, inbox, load)
  return (await run) / count
}

const peers = ['blocking', 'epoll'] as const

function peer(style: (typeof peers)[number], { fds, window, messages }: Case): number {
  const argv = [style, ...[fds, messages, window, BYTES].map(String)]
  return Number(execFileSync(peerBinary, argv, { encoding: 'utf8' })) / messages
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

function report(measured: Case): void {
  const { title, fds, window } = measured
  const asRate = window > 1
  const shown = (ns: number) => (asRate ? Math.round(1e9 / ns) : Math.round(ns / 10) / 100)
  for (const style of peers) {
    const [own, other] = [median(measured.ours), median(measured[style])]
    const figure = {
      name: `${title}, ${fds} descriptor${fds === 1 ? '' : 's'}, against C ${style}`,
      ours: shown(own),
      peer: shown(other),
      ratio: Math.round((asRate ? other / own : own / other) * 100) / 100,
      unit: asRate ? 'messages/s' : 'us',
      accelerator: 'none',
    }
    const { name, ours, peer, ratio, unit } = figure
    console.log(json ? JSON.stringify(figure) : `${name.padEnd(60)} ${ours} to ${peer} ${unit}: ${ratio}`)
  }
}

try {
  for (const each of cases) await ours(each, Math.min(each.messages, 4_000))
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of cases) {
      // Who goes first alternates, so that none always finds the machine as another left it.
      const takeOurs = async () => each.ours.push(await ours(each))
      if (round % 2 === 1) await takeOurs()
      for (const style of peers) each[style].push(peer(style, each))
      if (round % 2 === 0) await takeOurs()
    }
  }
  for (const each of cases) report(each)
} finally {
  for (const { socket, child } of Object.values(pairs)) {
    socket.close()
    if (child.exitCode === null) await once(child, 'exit')
  }
  for (const file of files) file.close()
  inbox.close()
  rmSync(scratch, { recursive: true })
}
