import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Listener, UnixSocket } from '@spectrum/unix-fd'
import { liveFds } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openServices, type ServicePowers } from '../../src/broker/owning-service.js'
import type { HostCall } from '../../src/broker/powers.js'
import { type DisplayOptions, displayServiceWith } from '../../src/display.js'

const descriptors = unixFd()._unsafeUnwrap()
const before = liveFds()
const clock = {
  now: () => performance.now(),
  deadline(ms: number) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), ms)
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** Stands for a program that listens: the proxy, which takes anybody, or waypipe, which echoes. */
interface FakeProcess {
  readonly role: string
  readonly powerless: boolean | undefined
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>> | undefined
  end(): void
}

let root: string
let running: Set<FakeProcess>
let started: FakeProcess[]
let spawning: (role: string) => void

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'display-'))
  running = new Set()
  started = []
  spawning = () => {}
})

afterEach(async () => {
  expect([...running].map(({ role }) => role)).toEqual([])
  expect(readdirSync(root)).toEqual([])
  rmSync(root, { recursive: true })
  // The fakes close their ends when they hear of it.
  await expect.poll(() => liveFds()).toBe(before)
})

let directories = 0
const powers: ServicePowers = {
  clock,
  directory: async () => {
    const path = mkdtempSync(join(root, `u${++directories}-`))
    return {
      path,
      [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true }),
    }
  },
  writeFile: async (path, text) => writeFileSync(path, text),
  processes: {
    async spawn({ role, argv, environment, powerless }) {
      spawning(role)
      const at = argv.indexOf('--listen') + argv.indexOf('--socket') + 2
      const listener = descriptors.listen(argv[at]!, 'stream')._unsafeUnwrap()
      let ended = () => {}
      const exit = new Promise<{ kind: 'exited'; code: number }>((resolve) => {
        ended = () => resolve({ kind: 'exited', code: 0 })
      })
      const stop = new AbortController()
      const process: FakeProcess = {
        role,
        powerless,
        argv,
        environment,
        end() {
          if (!running.delete(process)) return
          stop.abort()
          listener.close()
          // As it takes the kernel.
          setTimeout(ended, 5)
        },
      }
      running.add(process)
      started.push(process)
      void echo(listener, stop.signal)
      async function* output() {
        yield new TextEncoder().encode(`${role} says \u0007\n`)
      }
      return { pid: 1, output: output(), exit, kill: () => process.end() }
    },
  },
}

async function echo(listener: Listener, signal: AbortSignal): Promise<void> {
  for (;;) {
    const accepted = await listener.accept(signal)
    if (accepted.isErr()) return
    void answer(accepted.value, signal)
  }
}

async function answer(socket: UnixSocket, signal: AbortSignal): Promise<void> {
  for (;;) {
    const received = await socket.receive({ signal })
    if (received.isErr() || received.value.kind === 'end') break
    await socket.send(received.value.bytes, { signal })
  }
  socket.close()
}

/** A program of a unit: it says `words`, and stays until `leave`. */
function call(caller: string, words: readonly string[] = []) {
  const heard: string[] = []
  const ended = new AbortController()
  let leave = () => {}
  const left = new Promise<void>((resolve) => {
    leave = resolve
  })
  async function* request() {
    for (const word of words) yield new TextEncoder().encode(word)
    await left
  }
  const made: HostCall = {
    caller,
    service: 'org.spectrum.display',
    argument: undefined,
    request: request(),
    respond: async (bytes) => void heard.push(new TextDecoder().decode(bytes)),
    signal: ended.signal,
  }
  return { made, heard, leave, cut: () => ended.abort() }
}

function open(
  options: Partial<DisplayOptions> = {},
  connect = (path: string) => descriptors.connect(path, 'stream'),
) {
  const machine = {
    connect,
    removeFile: async (path: string) => rmSync(path, { force: true }),
    program: { file: '/bin/proxy', argv: [], environment: {} },
  }
  const service = displayServiceWith(machine, {
    upstream: '/run/w-0',
    units: { mail: {}, bank: {} },
    ...options,
  })
  const { functions, close } = openServices({ display: service._unsafeUnwrap() }, powers)
  return { serve: functions['display']!, close }
}

const roles = () => [...running].map(({ role }) => role).sort()

it('gives a unit one proxy for all of its programs, and each program a waypipe, without any power', async () => {
  const lines: string[] = []
  const { serve, close } = open({ onLine: (unit, text) => lines.push(`${unit}: ${text}`) })
  const [one, two, other] = [call('mail', ['hello']), call('mail'), call('bank')]
  const served = [one, two, other].map(({ made }) => serve(made))
  await expect.poll(() => one.heard.join('')).toBe('hello')
  await expect
    .poll(roles)
    .toEqual([
      'unit bank: display',
      'unit bank: waypipe',
      ...['display', 'waypipe', 'waypipe'].map((each) => `unit mail: ${each}`),
    ])
  expect(started.every(({ powerless }) => powerless === true)).toBe(true)
  expect(serve.mayIdle).toBe(true)
  // The label and the prefix of a unit that nothing else is said about.
  const policies = started.flatMap(({ argv }) => {
    const at = argv.indexOf('--policy')
    return at < 0 ? [] : [JSON.parse(readFileSync(argv[at + 1]!, 'utf8')).identity]
  })
  expect(policies).toContainEqual({
    frame: { label: 'mail', colour: '#a51d2d' },
    titlePrefix: '[mail] ',
    appIdPrefix: 'unit.mail.',
  })
  await expect.poll(() => lines).toContain('mail: unit mail: waypipe says \\x07')
  one.leave()
  await served[0]
  expect(roles()).toEqual([
    'unit bank: display',
    'unit bank: waypipe',
    'unit mail: display',
    'unit mail: waypipe',
  ])
  two.leave()
  other.cut()
  await Promise.all(served)
  expect(roles()).toEqual([])
  await close()
})

it('knows no other compositor in waypipe than the unit’s own proxy', async () => {
  const { serve, close } = open()
  const { made, leave } = call('mail', ['x'])
  const served = serve(made)
  await expect.poll(() => started.length).toBe(2)
  const [proxy, waypipe] = started as [FakeProcess, FakeProcess]
  const socket = proxy.argv[proxy.argv.indexOf('--listen') + 1]!
  expect(proxy.argv).toContain('/run/w-0')
  expect(waypipe.environment).toEqual({ XDG_RUNTIME_DIR: socket.slice(0, -2), WAYLAND_DISPLAY: socket })
  leave()
  await served
  await close()
})

it('refuses a unit that it was not told about, and starts nothing for it', async () => {
  const { serve, close } = open()
  await expect(serve(call('stranger').made)).rejects.toThrow('stranger is given no display')
  expect(started).toEqual([])
  await close()
})

it('ends every window of a unit whose proxy is gone, and begins anew with the next', async () => {
  const { serve, close } = open()
  const one = call('mail', ['x'])
  const served = serve(one.made)
  await expect.poll(() => one.heard.length).toBe(1)
  started[0]!.end()
  await expect(served).rejects.toThrow('the display of mail has ended')
  const two = call('mail', ['y'])
  const again = serve(two.made)
  await expect.poll(() => two.heard.join('')).toBe('y')
  two.leave()
  await again
  await close()
})

it('leaves nothing behind where its programs cannot be started', async () => {
  for (const lacking of ['display', 'waypipe']) {
    spawning = (role) => {
      if (role.endsWith(lacking)) throw new Error('no program')
    }
    const { serve, close } = open()
    await expect(serve(call('mail').made)).rejects.toThrow(/the display of mail did not start: .*no program/)
    await close()
  }
})

it('gives a display up that is only being opened when the last program that wants it has gone', async () => {
  const nowhere = `${root}/nowhere`
  const { serve, close } = open({}, () => descriptors.connect(nowhere, 'stream'))
  const [one, two] = [call('mail'), call('mail')]
  const served = [serve(one.made), serve(two.made)]
  await expect.poll(roles).toEqual(['unit mail: display'])
  one.cut()
  await served[0]
  expect(roles()).toEqual(['unit mail: display'])
  two.cut()
  await served[1]
  expect(roles()).toEqual([])
  expect(started).toHaveLength(1)
  await close()
})

it('ends what is open when the host stops, also what is just being started', async () => {
  const { serve, close } = open()
  const [one, two] = [call('mail', ['x']), call('bank')]
  const served = [serve(one.made)]
  await expect.poll(() => one.heard.length).toBe(1)
  served.push(serve(two.made))
  const settled = Promise.allSettled(served)
  await close()
  expect(roles()).toEqual([])
  await settled
  await expect(serve(call('mail').made)).rejects.toThrow('the host is being stopped')
})

it('says before anything is started that a policy is none, and whose', () => {
  const machine = {
    connect: () => {
      throw new Error('nobody connects')
    },
    removeFile: async () => {},
    program: { file: '', argv: [], environment: {} },
  }
  const options = { upstream: '/run/w-0', units: { mail: { colour: 'red' } } }
  expect(displayServiceWith(machine, options)._unsafeUnwrapErr()).toMatchObject({
    kind: 'invalid-policy',
    unit: 'mail',
    path: '/identity/frame',
  })
  const relative = displayServiceWith(machine, { upstream: 'wayland-0', units: {} })
  expect(relative._unsafeUnwrapErr().kind).toBe('invalid-upstream')
})
