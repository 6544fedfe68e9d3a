import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SpawnedProcess, SpawnRequest } from '@spectrum/unit-monitor'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../unix-fd/test/held.js'
import { linuxProcesses } from '../src/linux/processes.js'

const powers = linuxPowers()
let directory: string
beforeEach(() => {
  directory = mkdtempSync('/tmp/unit-monitor-linux-')
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('one-shot sockets', () => {
  it('are 0600 whatever the umask is, and disappear with the first peer', async () => {
    using listener = await powers.sockets.listen(`${directory}/s`)
    expect(statSync(listener.path).mode & 0o777).toBe(0o600)
    const peer = connect(listener.path)
    const channel = await listener.accept(AbortSignal.timeout(30_000))
    expect(existsSync(listener.path)).toBe(false)
    peer.write('hello')
    for await (const bytes of channel.incoming) {
      expect(Buffer.from(bytes).toString()).toBe('hello')
      break
    }
    channel.close()
    peer.destroy()
  })

  it('refuse a directory that others may enter, and a path that exists', async () => {
    await expect(powers.sockets.listen('/tmp/spectrum-open')).rejects.toMatchObject({ code: 'EACCES' })
    using _first = await powers.sockets.listen(`${directory}/s`)
    await expect(powers.sockets.listen(`${directory}/s`)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it('stop waiting when told, and leave neither path nor descriptor', async () => {
    const before = openDescriptors()
    const listener = await powers.sockets.listen(`${directory}/s`)
    await expect(listener.accept(AbortSignal.timeout(20))).rejects.toThrow()
    const waiting = listener.accept(AbortSignal.timeout(5_000))
    listener[Symbol.dispose]()
    listener[Symbol.dispose]()
    await expect(waiting).rejects.toThrow('closed')
    expect(readdirSync(directory)).toEqual([])
    await expect.poll(() => openedSince(before)).toEqual([])
  })

  it('push back on a writer whose peer does not read', async () => {
    using listener = await powers.sockets.listen(`${directory}/s`)
    const peer = connect(listener.path).pause()
    const channel = await listener.accept(AbortSignal.timeout(30_000))
    const block = Buffer.alloc(256 * 1024, 7)
    let accepted = 0
    const writing = (async () => {
      for (; accepted < 40; accepted++) await channel.write(block)
    })()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(accepted).toBeLessThan(10)
    const received = count(peer)
    await writing
    channel.close()
    expect(await received).toBeLessThanOrEqual(40 * block.length)
  })

  it('end the incoming bytes and refuse the outgoing ones when the peer closes', async () => {
    using listener = await powers.sockets.listen(`${directory}/s`)
    const peer = connect(listener.path)
    const channel = await listener.accept(AbortSignal.timeout(30_000))
    peer.end('last')
    const chunks: Buffer[] = []
    for await (const bytes of channel.incoming) chunks.push(Buffer.from(bytes))
    expect(Buffer.concat(chunks).toString()).toBe('last')
    await expect(channel.write(Buffer.from('x'))).rejects.toThrow('closed')
  })
})

describe('processes', () => {
  const run = async (argv: readonly string[], more: Partial<SpawnRequest> = {}) => {
    const [file = '', ...rest] = argv
    const child = await powers.processes.spawn({ file, argv: rest, role: 'test', ...more })
    return { child, output: await text(child), exit: await child.exit }
  }

  it('have the environment they are given and nothing more', async () => {
    expect((await run(['env'])).output).toBe('')
    expect((await run(['env'], { environment: { MARK: 'left' } })).output).toBe('MARK=left\n')
  })

  it('inherit no descriptor, even one that this program inherited itself', async () => {
    const script = `import { linuxPowers } from '@spectrum/unit-monitor/linux'
      void (async () => {
        const child = await linuxPowers().processes.spawn({ file: 'ls', argv: ['-l', '/proc/self/fd'], role: 'test' })
        for await (const bytes of child.output) process.stdout.write(bytes)
      })()`
    const listing = await outputOf(script, ['ignore', 'pipe', 'inherit', ...leakedAt(40)])
    expect(listing).toContain(' 0 -> /dev/null')
    expect(listing).toContain(' 40 -> /dev/null')
    expect(listing).not.toContain('passwd')
  })

  it('lead a process group, stand in / and cannot gain privileges or dump core', async () => {
    const { output } = await run(['cat', '/proc/self/stat', '/proc/self/status', '/proc/self/limits'])
    const [pid, , , , group] = output.split(' ')
    expect(group).toBe(pid)
    expect(output).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(output).toMatch(/^Max core file size\s+0\s+0/m)
    expect((await run(['readlink', '/proc/self/cwd'])).output).toBe('/\n')
  })

  it('report their exit code or their signal, and killing them twice is harmless', async () => {
    expect((await run(['false'])).exit).toEqual({ kind: 'exited', code: 1 })
    const child = await powers.processes.spawn({ file: 'sleep', argv: ['60'], role: 'test' })
    child.kill()
    child.kill()
    expect(await child.exit).toEqual({ kind: 'signalled', signal: 'SIGKILL' })
    child.kill()
  })

  it('reject with ENOENT when the program does not exist', async () => {
    const missing = powers.processes.spawn({ file: 'no-such-program', argv: [], role: 'test' })
    await expect(missing).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('die with the program that started them, however it dies', () => dieWithTheirHost({}))
})

describe('powerless processes', () => {
  const spawn = (file: string, ...argv: string[]) =>
    powers.processes.spawn({ file, argv, role: 'test', powerless: true })

  it('have no capability and no network, and are the very process that was started', async () => {
    const child = await spawn('cat', '/proc/self/status', '/proc/self/net/dev')
    const output = await text(child)
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(output).toMatch(new RegExp(`^${set}:\\s+0{16}$`, 'm'))
    const interfaces = output.split('\n').flatMap((line) => /^ *(\w+): +\d+ +\d/.exec(line)?.[1] ?? [])
    expect(interfaces).toEqual(['lo'])
    expect(output).toMatch(new RegExp(`^Pid:\\s+${child.pid}$`, 'm'))
    expect(output).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(await child.exit).toEqual({ kind: 'exited', code: 0 })
  })

  it('end by the signal that ended them, whoever sent it', async () => {
    const child = await spawn('sleep', '60')
    await until(() => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n')
    process.kill(child.pid, 'SIGKILL')
    expect(await child.exit).toEqual({ kind: 'signalled', signal: 'SIGKILL' })
  })

  it('die with the program that started them, however it dies', () => dieWithTheirHost({ powerless: true }))

  it('run without namespaces where there are none to have, and say so first', async () => {
    // An unshare that is refused, before the real one on the search path.
    const refusing = `${directory}/unshare`
    writeFileSync(refusing, '#!/bin/sh\necho "unshare failed: Operation not permitted" >&2\nexit 1\n', {
      mode: 0o755,
    })
    const searchPath = `${directory}:${process.env['PATH']}`
    const processes = linuxPowers({ searchPath }).processes
    for (let round = 0; round < 2; round++) {
      const child = await processes.spawn({
        file: 'grep',
        argv: ['CapEff', '/proc/self/status'],
        role: 'test',
        powerless: true,
      })
      const output = await text(child)
      expect(output).toContain('it gets no namespaces: unshare failed: Operation not permitted')
      expect(output).toMatch(/^CapEff:\s+0{16}$/m)
    }
  })
})

describe('namespaces for powerless processes', () => {
  /** An `unshare` before the real one on the search path: what it does the first time, and then what is real. */
  const unshareThatFirst = (does: string): string => {
    const script = `#!/bin/sh\nif mkdir '${directory}/asked' 2>/dev/null; then ${does}; fi\nPATH='${process.env['PATH']}' exec unshare "$@"\n`
    writeFileSync(`${directory}/unshare`, script, { mode: 0o755 })
    return `${directory}:${process.env['PATH']}`
  }
  const request: SpawnRequest = {
    file: 'readlink',
    argv: ['/proc/self/ns/net'],
    role: 'test',
    powerless: true,
  }
  const own = readlinkSync('/proc/self/ns/net')

  it('are tried again when there were none to have before', async () => {
    const processes = linuxProcesses(unshareThatFirst('echo "unshare failed: No space left" >&2; exit 1'))
    const without = await text(await processes.spawn(request))
    expect(without).toContain('it gets no namespaces: unshare failed: No space left')
    expect(without).toContain(own)
    const within = await text(await processes.spawn(request))
    expect(within).toMatch(/^net:\[\d+\]\n$/)
    expect(within).not.toContain(own)
  })

  it.each(['PATH=/usr/bin:/bin exec sleep 600', 'kill -KILL $$'])(
    'are not done without because nobody knows whether there are any: %s',
    async (does) => {
      const processes = linuxProcesses(unshareThatFirst(does), 1_000)
      await expect(processes.spawn(request)).rejects.toMatchObject({ code: 'EAGAIN' })
      // Were it slow again on a busy machine, it would be asked again.
      await expect.poll(() => processes.spawn(request).then(text, String)).toMatch(/^net:/)
    },
  )
})

describe('enclosed processes', () => {
  const run = async (argv: readonly string[], enclosed: SpawnRequest['enclosed'] = 'as-it-is') => {
    const [file = '', ...rest] = argv
    const child = await powers.processes.spawn({ file, argv: rest, role: 'test', enclosed })
    return { child, output: await text(child), exit: await child.exit }
  }

  it('report the exit code of the program, which is the first of its namespace', async () => {
    expect((await run(['false'])).exit).toEqual({ kind: 'exited', code: 1 })
    expect((await run(['readlink', '/proc/self'])).output).toBe('1\n')
  })

  it('have no capability and no network when they are to have none', async () => {
    const { output } = await run(['cat', '/proc/self/status', '/proc/self/net/dev'], 'without-capabilities')
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(output).toMatch(new RegExp(`^${set}:\\s+0{16}$`, 'm'))
    const interfaces = output.split('\n').flatMap((line) => /^ *(\w+): +\d+ +\d/.exec(line)?.[1] ?? [])
    expect(interfaces).toEqual(['lo'])
  })

  it('are all gone when their exit is told, killed or not', async () => {
    // One in the group and one in a session of its own; both would sleep on.
    const script = 'sleep 61 & setsid sleep 61 & echo started; wait'
    const child = await powers.processes.spawn({
      file: 'sh',
      argv: ['-c', script],
      role: 'test',
      enclosed: 'as-it-is',
      environment: { MARK: directory, PATH: process.env['PATH'] ?? '' },
    })
    await until(() => marked(directory) >= 4)
    child.kill()
    child.kill()
    expect(await child.exit).toEqual({ kind: 'signalled', signal: 'SIGKILL' })
    await until(() => marked(directory) === 0)
  })

  it('have their exit told before anybody has reaped them', async () => {
    // The first process of many a container reaps nothing, or not soon; this program stands in for it.
    const source =
      '#include <sys/prctl.h>\n#include <unistd.h>\nint main(int n, char **v) { return n < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1) || execvp(v[1], v + 1); }'
    const adopter = join(directory, 'adopter')
    execFileSync('gcc', ['-xc', '-Wall', '-Wextra', '-Werror', '-o', adopter, '-'], {
      input: source,
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    const script = `import { linuxPowers } from '@spectrum/unit-monitor/linux'
      void (async () => {
        const child = await linuxPowers().processes.spawn({
          file: 'sh', argv: ['-c', 'echo started; exec sleep 61'], role: 'test', enclosed: 'as-it-is',
          environment: { MARK: '${directory}', PATH: '/usr/bin:/bin' },
        })
        for await (const _ of child.output) break
        const began = performance.now()
        child.kill()
        await child.exit
        process.stdout.write(String(performance.now() - began))
      })()`
    const host = node(script, ['ignore', 'pipe', 'inherit'], [adopter])
    // Whoever waits to be reaped stays until this host ends.
    expect(Number(await firstChunk(host))).toBeLessThan(4_000)
    await until(() => marked(directory) === 0)
  })

  it('die with the program that started them, however it dies', async () => {
    const script = `import { linuxPowers } from '@spectrum/unit-monitor/linux'
      void (async () => {
        await linuxPowers().processes.spawn({
          file: 'sh', argv: ['-c', 'setsid sleep 61 & sleep 61'], role: 'test', enclosed: 'as-it-is',
          environment: { MARK: '${directory}', PATH: '/usr/bin:/bin' },
        })
        process.stdout.write('started')
      })()`
    const host = node(script, ['ignore', 'pipe', 'inherit'])
    await firstChunk(host)
    await until(() => marked(directory) >= 3)
    host.kill('SIGKILL')
    await until(() => marked(directory) === 0)
  })
})

/** Running processes with this mark in their environment. */
function marked(mark: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${Number(name)}/environ`, 'latin1').includes(`MARK=${mark}`)
    } catch {
      return false
    }
  }).length
}

/** A host of its own starts `sleep`, and is killed. */
async function dieWithTheirHost(how: Pick<SpawnRequest, 'powerless'>): Promise<void> {
  const request: SpawnRequest = { file: 'sleep', argv: ['60'], role: 'test', ...how }
  const script = `import { linuxPowers } from '@spectrum/unit-monitor/linux'
    void (async () => {
      const child = await linuxPowers().processes.spawn(${JSON.stringify(request)})
      process.stdout.write(child.pid + '\\n')
    })()`
  const host = node(script, ['ignore', 'pipe', 'inherit'])
  const pid = Number((await firstChunk(host)).trim())
  const told = (file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8')
    } catch {
      // Gone, and be it between two looks.
      return ''
    }
  }
  await until(() => told('comm') === 'sleep\n')
  host.kill('SIGKILL')
  await until(() => ['', 'Z'].includes(/^State:\s+(\w)/m.exec(told('status'))?.[1] ?? ''))
}

async function text(child: SpawnedProcess): Promise<string> {
  const chunks: Buffer[] = []
  for await (const bytes of child.output) chunks.push(Buffer.from(bytes))
  return Buffer.concat(chunks).toString()
}

function count(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.on('close', () => resolve(bytes))
    socket.resume()
  })
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** A node of its own that runs a script with the workspace's sources. */
function node(
  script: string,
  stdio: ('ignore' | 'pipe' | 'inherit' | number)[],
  through: readonly string[] = [],
): ChildProcess {
  const argv = [...through, process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script]
  return spawn(argv[0]!, argv.slice(1), {
    cwd: ROOT,
    stdio,
    env: { ...process.env, TSX_TSCONFIG_PATH: 'tsconfig.base.json' },
  })
}

async function outputOf(script: string, stdio: Parameters<typeof node>[1]): Promise<string> {
  const child = node(script, stdio)
  let output = ''
  for await (const chunk of child.stdout ?? []) output += String(chunk)
  return output
}

function leakedAt(descriptor: number): ('ignore' | number)[] {
  return [...Array.from({ length: descriptor - 3 }, () => 'ignore' as const), openSync('/etc/passwd', 'r')]
}

async function firstChunk(child: ChildProcess): Promise<string> {
  for await (const chunk of child.stdout ?? []) return String(chunk)
  throw new Error('it said nothing')
}

async function until(condition: () => boolean): Promise<void> {
  const latest = performance.now() + 20_000
  while (!condition()) {
    if (performance.now() > latest) throw new Error('it did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
