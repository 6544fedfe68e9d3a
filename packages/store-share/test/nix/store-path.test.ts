import { describe, expect, it } from 'vitest'
import { parseStorePath } from '../../src/index.js'

const digest = '2llaakcm2iyxi0ixb7ys8dgj5b1m5zb5'
const path = `/nix/store/${digest}-hello-2.12`

describe('a store path', () => {
  it('is taken apart', () => {
    expect(parseStorePath(path)._unsafeUnwrap()).toEqual({ path, digest, name: 'hello-2.12' })
  })

  it.each(['a', 'a'.repeat(211), '+-._?=', '.a', '...', 'a..b'])('may be named %s', (name) => {
    expect(parseStorePath(`/nix/store/${digest}-${name}`).isOk()).toBe(true)
  })

  it.each([
    ['', 'does not lie in /nix/store'],
    ['/nix/store', 'does not lie in /nix/store'],
    ['/nix/store/', 'base 32'],
    ['/tmp/x', 'does not lie in /nix/store'],
    [`/nix/store/${digest}`, 'dash'],
    [`/nix/store/${digest}-`, 'empty'],
    [`/nix/store/${digest}-${'a'.repeat(212)}`, '211'],
    [`/nix/store/e${digest.slice(1)}-a`, 'base 32'],
    [`/nix/store/${digest}-a b`, 'character'],
    [`/nix/store/${digest}-a\n`, 'character'],
    [`/nix/store/${digest}-ä`, 'character'],
    [`/nix/store/${digest}-.`, 'reserved'],
    [`/nix/store/${digest}-..-x`, 'reserved'],
    [`/nix/store/../store/${digest}-a`, 'base 32'],
  ])('%j is refused because of: %s', (text, reason) => {
    const error = parseStorePath(text)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'not-a-store-path', path: text })
    expect(error.message).toContain(reason)
  })

  it('is named when a path inside of it is given', () => {
    const error = parseStorePath(`${path}/bin/hello`)._unsafeUnwrapErr()
    expect(error.kind).toBe('not-a-store-path')
    expect(error.message).toContain(`inside the store path ${path};`)
  })

  it('cannot write to a terminal through a message', () => {
    const { message } = parseStorePath('/tmp/\u001b[2J\u202e\n')._unsafeUnwrapErr()
    expect(message).toContain('\\x1b[2J\\u{202e}\\x0a')
  })
})
