import { randomBytes } from 'node:crypto'
import { type CommandPowers, spectrum } from '@spectrum/cli'
import { errAsync, okAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { KeptSink, powersWith } from './fakes.js'
import { gdb, hello, hostsAt, type OneHost, runHost } from './hosts.js'

interface Done {
  readonly status: number
  readonly out: string
  readonly complaint: string
}

async function typed(powers: CommandPowers, ...words: string[]): Promise<Done> {
  const status = await spectrum(words, powers)
  return { status, out: (powers.stdout as KeptSink).text, complaint: (powers.stderr as KeptSink).text }
}

const at = (host: OneHost, ...words: string[]) => typed(host.powers().powers, ...words)

describe('spectrum ps', () => {
  it('is a table of units for people, and one object for programs', async () => {
    await using host = await runHost()
    const { status, out } = await typed(host.powers({ timeOfDay: () => Date.now() + 125_000 }).powers, 'ps')
    expect(status).toBe(0)
    const [head, left, right] = out.split('\n')
    expect(head?.split(/\s{2,}/)).toEqual(['UNIT', 'STATE', 'SINCE', 'PATHS', 'PIDS', 'HOST', 'WHY'])
    expect(left).toMatch(/^left {3}running {2}2 min {2}1 /)
    expect(right).toContain('running')
    const json = JSON.parse((await at(host, 'ps', '--json')).out)
    expect(json.hosts).toHaveLength(1)
    expect(json.hosts[0]).toMatchObject({
      host: { pid: process.pid, directory: host.host.directory, monitor: 'fake' },
      units: [{ name: 'left', state: 'running', running: { paths: 1 } }, { name: 'right' }],
    })
  })

  it('tells why a unit failed, in words that cannot command the terminal', async () => {
    await using host = await runHost()
    host.host.events.emit('unit-state', { unit: 'lost', state: 'failed', why: 'it \x1b[2Jdied\nat length' })
    const { out } = await at(host, 'ps')
    expect(out).toMatch(/lost {3}failed .* it \\x1b\[2Jdied\n/)
  })

  it('is empty where no host runs, and complains of a host that is named and does not', async () => {
    const nobody = powersWith()
    expect(await typed(nobody.powers, 'ps', '--json')).toEqual({
      status: 0,
      out: '{"hosts":[]}\n',
      complaint: '',
    })
    expect(await typed(powersWith().powers, 'ps', '--host', '12')).toMatchObject({
      status: 1,
      complaint: 'spectrum: no host "12" runs\n',
    })
    await using host = await runHost()
    const { status, complaint } = await at(host, 'ps', '--host', `${host.socket}-none`)
    expect(status).toBe(1)
    expect(complaint).toContain('No host listens')
  })
})

describe('which host is meant', () => {
  it('is the only one, or the one that is named by its name, process or path', async () => {
    await using host = await runHost()
    for (const name of [[], ['--host', 'host-1'], ['--host', '100'], ['--host', host.socket]])
      expect((await at(host, 'logs', ...name)).status).toBe(0)
    expect(await at(host, 'logs', '--host', 'host-2')).toMatchObject({
      status: 1,
      complaint: 'spectrum: no host "host-2" runs\n  host-1 (process 100)\n',
    })
  })

  it('must be said when there are several; with none there is advice', async () => {
    await using host = await runHost()
    const hosts = hostsAt(host.socket, host.socket)
    expect(await typed(host.powers({ hosts }).powers, 'stop', 'left')).toEqual({
      status: 1,
      out: '',
      complaint:
        'spectrum: several hosts run: name one with --host\n  host-1 (process 100)\n  host-2 (process 101)\n',
    })
    expect(await typed(host.powers({ hosts: hostsAt() }).powers, 'exec', 'left', '--', '/x')).toMatchObject({
      status: 125,
      complaint: expect.stringContaining('spectrum up FILE'),
    })
    expect(host.host.units.size).toBe(2)
  })
})

describe('spectrum exec', () => {
  it('passes outputs, environment, directory and status on', async () => {
    await using host = await runHost()
    const words = [
      'exec',
      '--env',
      'A=1',
      '--cwd',
      '/tmp',
      'left',
      '--',
      `${hello}/bin/hello`,
      'you',
      '--help',
    ]
    expect(await at(host, ...words)).toEqual({
      status: 3,
      out: 'hello you --help\n',
      complaint: '{"A":"1"} /tmp\n',
    })
  })

  it('passes standard input on byte by byte', async () => {
    await using host = await runHost()
    const input = randomBytes(1_000_000)
    const openStdin = async function* () {
      yield input
    }
    const { powers } = host.powers({ openStdin })
    expect((await typed(powers, 'exec', '-i', 'left', '--', `${hello}/bin/copy`)).status).toBe(0)
    expect((powers.stdout as KeptSink).bytes.equals(input)).toBe(true)
  })

  it.each([
    [['left', '--', `${hello}/bin/none`], 127, /cannot run .*none in the unit/],
    [['lef', '--', '/x'], 125, /no unit "lef"; there are: left, right/],
    [['-t', 'left', '--', '/x'], 125, /there is no terminal/],
    [['left'], 2, /after "--"/],
    [['left', 'right', '--', '/x'], 2, /spectrum exec UNIT/],
    [['left', '--', 'x'], 2, /whole path/],
    [['--cwd', 'tmp', 'left', '--', '/x'], 2, /absolute path/],
    [['--timeout', '0', 'left', '--', '/x'], 2, /--timeout takes seconds, more than 0/],
  ])('%j ends with %i', async (words, expected, why) => {
    await using host = await runHost()
    const { status, complaint } = await at(host, 'exec', ...words)
    expect([status, complaint]).toEqual([expected, expect.stringMatching(why)])
  })

  it('lets a program command no terminal, unless told to', async () => {
    await using host = await runHost()
    const painted = async (...options: string[]) => {
      const { powers } = host.powers({ stdout: new KeptSink(true) })
      return (await typed(powers, 'exec', ...options, 'left', '--', `${hello}/bin/paint`)).out
    }
    expect(await painted()).toBe('\\x1b[31mred\n')
    expect(await painted('--raw')).toBe('\x1b[31mred\n')
  })

  it('sends the first Ctrl-C to the program, and ends it with the second', async () => {
    await using host = await runHost()
    const first = host.powers()
    const running = typed(first.powers, 'exec', 'left', '--', `${hello}/bin/stay`)
    await expect.poll(() => (first.powers.stdout as KeptSink).text).toBe('staying\n')
    first.interrupt('SIGINT')
    expect((await running).status).toBe(7)
    const second = host.powers()
    const deaf = typed(second.powers, 'exec', 'left', '--', `${hello}/bin/deaf`)
    await expect.poll(() => (second.powers.stdout as KeptSink).text).toBe('staying\n')
    second.interrupt('SIGINT')
    await expect.poll(() => host.seen.signals).toEqual([2, 2])
    expect(host.seen.ended).toBe(0)
    second.interrupt('SIGINT')
    expect((await deaf).status).toBe(130)
    await expect.poll(() => host.seen.ended).toBe(1)
  })

  it('ends the program when nobody reads any more, or its time is over', async () => {
    await using host = await runHost()
    const unread = new KeptSink()
    unread.breakAfter = 0
    expect(
      (await typed(host.powers({ stdout: unread }).powers, 'exec', 'left', '--', `${hello}/bin/deaf`)).status,
    ).toBe(141)
    const { powers } = host.powers()
    const timed = typed(powers, 'exec', '--timeout', '5', 'left', '--', `${hello}/bin/deaf`)
    await expect.poll(() => (powers.stdout as KeptSink).text).toBe('staying\n')
    ;(powers.clock as unknown as { advance(ms: number): void }).advance(5_000)
    expect((await timed).status).toBe(124)
    await expect.poll(() => host.seen.ended).toBe(2)
  })

  it('says so when the host goes away', async () => {
    await using host = await runHost()
    const { powers } = host.powers()
    const running = typed(powers, 'exec', 'left', '--', `${hello}/bin/stay`)
    await expect.poll(() => (powers.stdout as KeptSink).text).toBe('staying\n')
    await host.host.stop({ graceMs: 0 })
    const { status, complaint } = await running
    expect(status).toBe(125)
    expect(complaint).toMatch(/the unit was lost/)
  })
})

describe('spectrum exec -t', () => {
  /** A terminal of 100 by 30 characters, and what has become of it. */
  function terminal() {
    const seen = { raw: 0, listeners: new Set<() => void>(), size: { rows: 30, columns: 100 } }
    const own: NonNullable<CommandPowers['terminal']> = {
      type: 'vt100',
      size: () => seen.size,
      onResize(changed) {
        seen.listeners.add(changed)
        return { [Symbol.dispose]: () => void seen.listeners.delete(changed) }
      },
      raw() {
        seen.raw += 1
        return {
          [Symbol.dispose]() {
            seen.raw -= 1
          },
        }
      },
    }
    return { seen, own }
  }

  /** What is typed until `end` is called. */
  function keyboard() {
    const keys: Buffer[] = []
    let wake = () => {}
    let ended = false
    return {
      type(text: string) {
        keys.push(Buffer.from(text))
        wake()
      },
      end() {
        ended = true
        wake()
      },
      async *read() {
        for (;;) {
          const key = keys.shift()
          if (key !== undefined) yield key
          else if (ended) return
          else
            await new Promise<void>((resolve) => {
              wake = resolve
            })
        }
      },
    }
  }

  it('gives the program a terminal of this size, keys as they are, and gives this one back', async () => {
    await using host = await runHost()
    const { seen, own } = terminal()
    const keys = keyboard()
    const { powers } = host.powers({
      terminal: own,
      openStdin: () => keys.read(),
      stdout: new KeptSink(true),
    })
    const running = typed(powers, 'exec', '-it', 'left', '--', `${hello}/bin/screen`)
    const shown = () => (powers.stdout as KeptSink).text
    await expect.poll(shown).toContain('vt100 100x30\r\n')
    expect(seen.raw).toBe(1)
    seen.size = { rows: 31, columns: 99 }
    for (const changed of seen.listeners) changed()
    await expect.poll(shown).toContain('99x31\r\n')
    keys.type('hello\n')
    await expect.poll(shown).toContain('<hello')
    keys.type('\x04')
    expect((await running).status).toBe(5)
    expect([seen.raw, seen.listeners.size]).toEqual([0, 0])
    keys.end()
  })

  it('takes Ctrl-C to the program, and hangs up when this terminal does', async () => {
    await using host = await runHost()
    const { seen, own } = terminal()
    const keys = keyboard()
    const typing = host.powers({ terminal: own, openStdin: () => keys.read() })
    const running = typed(typing.powers, 'exec', '-it', 'left', '--', `${hello}/bin/screen`)
    await expect.poll(() => (typing.powers.stdout as KeptSink).text).toContain('vt100')
    keys.type('\x03')
    expect((await running).status).toBe(130)
    const gone = host.powers({ terminal: own, openStdin: () => keys.read() })
    const hanging = typed(gone.powers, 'exec', '-it', 'left', '--', `${hello}/bin/screen`)
    await expect.poll(() => (gone.powers.stdout as KeptSink).text).toContain('vt100')
    gone.interrupt('SIGHUP')
    await hanging
    expect(host.seen.signals).toContain(1)
    expect(seen.raw).toBe(0)
    keys.end()
  })

  it('gives this terminal back when the host goes away', async () => {
    await using host = await runHost()
    const { seen, own } = terminal()
    const keys = keyboard()
    const { powers } = host.powers({ terminal: own, openStdin: () => keys.read() })
    const running = typed(powers, 'exec', '-it', 'left', '--', `${hello}/bin/screen`)
    await expect.poll(() => seen.raw).toBe(1)
    await host.host.stop({ graceMs: 0 })
    expect((await running).status).toBe(125)
    expect(seen.raw).toBe(0)
    keys.end()
  })
})

describe('spectrum inject', () => {
  it('adds software, and says how much', async () => {
    await using host = await runHost()
    expect(await at(host, 'inject', 'left', gdb)).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^left sees 1 more store paths \(by devices, /),
    })
    expect(await at(host, 'inject', 'left', gdb)).toMatchObject({ out: 'left had everything already.\n' })
    expect(JSON.parse((await at(host, 'inject', 'left', gdb, '--json')).out)).toMatchObject({
      unit: 'left',
      added: [],
      devices: 0,
    })
  })

  it.each([
    [['left', '/usr'], 1, /\/usr/],
    [['none', gdb], 1, /no unit "none"/],
    [['left'], 2, /inject UNIT/],
  ])('%j ends with %i', async (words, expected, why) => {
    await using host = await runHost()
    const { status, complaint } = await at(host, 'inject', ...words)
    expect([status, complaint]).toEqual([expected, expect.stringMatching(why)])
  })
})

describe('spectrum logs', () => {
  it('prints the newest lines, of one unit or of all, as text or as an object a line', async () => {
    await using host = await runHost()
    host.print('left', 'one')
    host.print('left', 'two \x1b[2J')
    await expect.poll(async () => (await at(host, 'logs', 'left', '-n', '1')).out).toBe('two \\x1b[2J\n')
    expect((await at(host, 'logs')).out).toContain('left: one\nleft: two \\x1b[2J\nright: ')
    const lines = (await at(host, 'logs', 'left', '--json', '-n', '1')).out.trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { unit: 'left', source: 'console', text: 'two \\x1b[2J', at: expect.any(Number) },
    ])
    expect(await at(host, 'logs', 'none')).toMatchObject({ status: 1 })
    expect(await at(host, 'logs', '-n', 'all')).toMatchObject({ status: 2 })
  })

  it('follows until the unit has ended, or Ctrl-C', async () => {
    await using host = await runHost()
    const one = host.powers()
    const following = typed(one.powers, 'logs', '-f', 'left')
    const other = host.powers()
    const interrupted = typed(other.powers, 'logs', '-f', '-n', '0')
    await expect.poll(() => (one.powers.stdout as KeptSink).text).toContain('Linux version')
    host.print('left', 'news')
    await expect.poll(() => (one.powers.stdout as KeptSink).text).toContain('news\n')
    other.interrupt('SIGTERM')
    expect((await interrupted).status).toBe(143)
    ;(await host.host.units.get('left')!.stop({ graceMs: 0 }))._unsafeUnwrap()
    expect((await following).status).toBe(0)
  })
})

describe('spectrum stop', () => {
  it('stops a unit, then the host', async () => {
    await using host = await runHost()
    expect(await at(host, 'stop', 'left', '--json')).toEqual({
      status: 0,
      out: '{"stopped":[{"unit":"left","graceful":true}]}\n',
      complaint: '',
    })
    expect(await at(host, 'stop', 'left')).toMatchObject({
      status: 1,
      complaint: expect.stringContaining('is stopped'),
    })
    expect(await at(host, 'stop', '--grace', '0')).toEqual({
      status: 0,
      out: '',
      complaint: 'spectrum: right did not end in order and was ended\n',
    })
    expect(host.host.units.size).toBe(0)
  })

  it('refuses what it does not understand', async () => {
    await using host = await runHost()
    expect((await at(host, 'stop', 'a', 'b')).status).toBe(2)
    expect((await at(host, 'stop', '--grace', '-1')).status).toBe(2)
  })
})

describe('spectrum gc', () => {
  const collected = {
    removed: [{ file: '/c/a', freedBytes: 3 * 1024 * 1024 }],
    freedBytes: 3 * 1024 * 1024,
    kept: { leased: 1, open: 2, inUse: 0, wanted: 0 },
  }
  it('says what it has freed, or would', async () => {
    const asked: unknown[] = []
    const collect: CommandPowers['collect'] = ({ dryRun }) => {
      asked.push(dryRun)
      return okAsync(collected)
    }
    expect((await typed(powersWith({ collect }).powers, 'gc')).out).toBe(
      'freed 3.0 MiB in 1 files; 3 files are in use\n',
    )
    const { out } = await typed(powersWith({ collect }).powers, 'gc', '--dry-run', '--json')
    expect(JSON.parse(out)).toEqual({ dryRun: true, ...collected })
    expect(asked).toEqual([false, true])
  })

  it('ends with 1 when it cannot, and 2 when it is not understood', async () => {
    const collect: CommandPowers['collect'] = () => errAsync({ kind: 'system', message: 'no such disk' })
    expect(await typed(powersWith({ collect }).powers, 'gc')).toMatchObject({
      status: 1,
      complaint: 'spectrum: no such disk\n',
    })
    expect((await typed(powersWith().powers, 'gc', 'all')).status).toBe(2)
  })
})
