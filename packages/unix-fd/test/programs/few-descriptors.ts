import { openSync, readdirSync } from 'node:fs'
import { type BackOff, liveFds } from '../../src/index.js'
import { unixFd } from '../../src/linux.js'

// Runs with a low limit on open descriptors, which it uses up: `few-descriptors accept|receive|send PATH`.
const descriptors = unixFd()._unsafeUnwrap()
const [task, path = ''] = process.argv.slice(2)
const soon = () => AbortSignal.timeout(50_000)

function fill(leaving: number) {
  const taken = []
  try {
    for (;;) taken.push(descriptors.adopt(openSync('/dev/null', 'r')))
  } catch {
    for (let i = 0; i < leaving; i++) taken.pop()?.close()
  }
  return taken
}

async function acceptOne(): Promise<object> {
  using listener = descriptors.listen(path, 'stream')._unsafeUnwrap()
  using _client = descriptors.connect(path, 'stream')._unsafeUnwrap()
  // The event loop's own watch has to exist before there is no descriptor for anything.
  await listener.accept(soon()).map((socket) => socket.close())
  using _second = descriptors.connect(path, 'stream')._unsafeUnwrap()
  await new Promise((resolve) => setTimeout(resolve, 100))
  const taken = fill(0)
  const codes: string[] = []
  const start = process.cpuUsage()
  const began = performance.now()
  const onBackOff = ({ code }: BackOff) => {
    codes.push(code)
    // Whatever else this program closes meanwhile, its loader for one, is not to end the wait.
    if (codes.length < 5) taken.push(...fill(0))
    else taken.pop()?.close()
  }
  const accepted = await listener.accept(soon(), { onBackOff })
  const { user, system } = process.cpuUsage(start)
  const waitedMs = performance.now() - began
  return {
    accepted: accepted.isOk(),
    code: codes[0],
    fewPauses: codes.length >= 5 && codes.length < 10,
    // Who spins is busy all the while.
    cpuLow: user + system < (waitedMs * 1000) / 2,
  }
}

async function receiveTooMany(): Promise<object> {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  const file = descriptors.adopt(openSync('/dev/null', 'r'))
  left.trySend(Uint8Array.of(1), Array(10).fill(file))._unsafeUnwrap()
  readdirSync('/proc/self/fd')
  fill(4)
  const before = liveFds()
  const received = await right.receive({ maxFds: 253, signal: soon() })
  // One less: the socket itself.
  return {
    kind: received.isErr() ? received.error.kind : 'ok',
    closed: right.fd.closed,
    leaked: liveFds() - before + 1,
  }
}

/** To a peer that does not read: without privileges, at most as many as may be open are on their way at once. */
async function sendTooMany(): Promise<object> {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  const file = descriptors.adopt(openSync('/dev/null', 'r'))
  const many = Array(20).fill(file)
  let sent = 0
  for (;;) {
    const result = await left.send(Uint8Array.of(1), { fds: many, signal: soon() })
    if (result.isErr()) {
      const { error } = result
      using inbox = descriptors.createInbox({ maxFds: 20 })._unsafeUnwrap()
      let received = 0
      while (right.tryReceive(inbox)._unsafeUnwrap() === 'data') received += inbox.fdCount
      return { code: 'code' in error && error.code, nothingLost: received === sent }
    }
    sent += many.length
  }
}

const tasks = { accept: acceptOne, receive: receiveTooMany, send: sendTooMany }
const result = await tasks[task as keyof typeof tasks]()
process.stdout.write(JSON.stringify(result), () => process.exit(0))
