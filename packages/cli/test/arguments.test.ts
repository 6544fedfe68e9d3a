import { parseCommandLine, type RunCommand } from '@spectrum/cli'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const run = (...words: string[]) => parseCommandLine(['run', ...words])
const parsed = (...words: string[]) => run(...words)._unsafeUnwrap() as RunCommand
const refused = (...words: string[]) => run(...words)._unsafeUnwrapErr()

const closure = '/nix/store/abc-hello'
const minimal = ['--closure', closure, '--', '/bin/hello']

describe('the command line', () => {
  it('names the commands when nothing is asked for', () => {
    expect(parseCommandLine([])._unsafeUnwrapErr()).toMatchObject({ kind: 'usage', topic: 'spectrum' })
  })

  it('refuses a command and an option that do not exist, by name', () => {
    expect(parseCommandLine(['rum'])._unsafeUnwrapErr().message).toContain('"rum"')
    expect(parseCommandLine(['--verbos'])._unsafeUnwrapErr().message).toContain('--verbos')
    expect(parseCommandLine(['doctor', '--jsn'])._unsafeUnwrapErr()).toMatchObject({ topic: 'doctor' })
    expect(refused('--closur', closure, '--', '/bin/x').message).toContain('--closur')
  })

  it('gives help on the whole and on each command', () => {
    expect(parseCommandLine(['--help'])._unsafeUnwrap()).toEqual({ kind: 'help', topic: 'spectrum' })
    expect(parseCommandLine(['doctor', '-h'])._unsafeUnwrap()).toEqual({ kind: 'help', topic: 'doctor' })
    expect(run('--help')._unsafeUnwrap()).toEqual({ kind: 'help', topic: 'run' })
  })

  it('reads a run with nothing but what it must have', () => {
    expect(parsed(...minimal)).toEqual({
      kind: 'run',
      closure: [closure],
      argv: ['/bin/hello'],
      env: {},
      memoryBytes: undefined,
      timeoutMs: undefined,
      stdin: 'closed',
      raw: false,
    })
  })

  it('reads a run with everything', () => {
    const command = parsed(
      ...[
        '--closure',
        closure,
        '--closure=/nix/store/def-x',
        '--memory',
        '512',
        '--env',
        'A=b=c',
        '--env',
        'E=',
      ],
      ...['--timeout', '1.5', '-i', '--raw', '--', '/bin/hello', 'there'],
    )
    expect(command).toMatchObject({
      closure: [closure, '/nix/store/def-x'],
      argv: ['/bin/hello', 'there'],
      env: { A: 'b=c', E: '' },
      raw: true,
      memoryBytes: 512 * 1024 * 1024,
      timeoutMs: 1500,
      stdin: 'open',
    })
  })

  it('hands everything after the first -- to the unit, whatever it looks like', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (rest) => {
        expect(parsed(...minimal, ...rest).argv).toEqual(['/bin/hello', ...rest])
      }),
    )
  })

  it('keeps a variable whose name means something to JavaScript', () => {
    const { env } = parsed('--env', '__proto__=x', ...minimal)
    expect(Object.entries(env)).toEqual([['__proto__', 'x']])
  })

  it.each([
    [['--', '/bin/hello'], '--closure'],
    [['--closure', closure], 'after "--"'],
    [['--closure', closure, '--'], 'after "--"'],
    [['--closure', closure, '--', 'hello'], 'no search path'],
    [['--env', 'NOVALUE', ...minimal], 'NAME=VALUE'],
    [['--env', '=x', ...minimal], 'NAME=VALUE'],
    [['--memory', '63', ...minimal], '64'],
    [['--memory', '1048577', ...minimal], '1048576'],
    [['--memory', '1e3', ...minimal], 'whole number'],
    [['--memory', '-1', ...minimal], '--memory'],
    [['--timeout', '0', ...minimal], 'more than 0'],
    [['--timeout', 'soon', ...minimal], 'seconds'],
    [['--timeout', '2000001', ...minimal], '2000000'],
    [['extra', ...minimal], 'extra'],
  ])('refuses run %j and says why', (words, why) => {
    const error = refused(...words)
    expect(error).toMatchObject({ kind: 'usage', topic: 'run' })
    expect(error.message).toContain(why)
  })

  it('takes the least and the most memory that it promises', () => {
    expect(parsed('--memory', '64', ...minimal).memoryBytes).toBe(64 * 1024 * 1024)
    expect(parsed('--memory', '1048576', ...minimal).memoryBytes).toBe(2 ** 40)
  })

  it('never throws, whatever the words', () => {
    fc.assert(fc.property(fc.array(fc.string()), (words) => void parseCommandLine(words)))
    fc.assert(fc.property(fc.array(fc.string()), (words) => void parseCommandLine(['run', ...words])))
  })
})
