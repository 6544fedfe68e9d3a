import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fd, liveFds } from '@spectrum/unix-fd'
import { ok } from 'neverthrow'
import { afterAll, expect, test } from 'vitest'
import { openSecurityContext } from '../src/index.js'
import { FakeCompositor, USUAL_GLOBALS } from './peers/compositor.js'
import { descriptors } from './peers/peer.js'

const folder = mkdtempSync(join(tmpdir(), 'security-context-'))
afterAll(() => rmSync(folder, { recursive: true }))
const MANAGER = { name: 90, interface: 'wp_security_context_manager_v1', version: 1 }
const request = {
  compositor: 'the compositor',
  path: join(folder, 'unit'),
  appId: 'unit.mail',
  instanceId: 'mail-1',
}

/** A compositor that is reached at once; everything else is real. */
function desktop(globals = [...USUAL_GLOBALS, MANAGER]) {
  const [near, far] = descriptors.socketpair('stream')._unsafeUnwrap()
  const compositor = new FakeCompositor(far, globals)
  const powers = {
    connect: (path: string) => (path === request.compositor ? ok(near) : descriptors.connect(path, 'stream')),
    listen: (path: string) => descriptors.listen(path, 'stream'),
    pipe: () => descriptors.createPipe(),
  }
  return { compositor, powers }
}

const soon = () => AbortSignal.timeout(20_000)

test('the compositor is told who connects, and can be reached only through that', async () => {
  const before = liveFds()
  const { compositor, powers } = desktop()
  const context = (await openSecurityContext(powers, request, soon()))._unsafeUnwrap()
  const words = compositor.seen
    .filter(({ name }) => name.startsWith('wp_security_context_v1'))
    .map(({ name, args }) => [name.slice(23), ...args])
  expect(words).toEqual([
    ['set_sandbox_engine', 'org.spectrum'],
    ['set_app_id', 'unit.mail'],
    ['set_instance_id', 'mail-1'],
    ['commit'],
  ])
  expect(compositor.faults).toEqual([])
  const [, listenFd, closeFd] = (await compositor.next('wp_security_context_manager_v1.create_listener')).args
  expect(descriptors.inspect(listenFd as Fd)._unsafeUnwrap().socket).toMatchObject({ listening: true })
  context.connect()._unsafeUnwrap().close()
  context.close()
  context.close()
  // Now the compositor sees the end.
  ;(await (closeFd as Fd).ready('readable', soon()))._unsafeUnwrap()
  expect(existsSync(request.path)).toBe(false)
  compositor.close()
  expect(liveFds()).toBe(before)
})

test('a compositor without it says so, and nothing is left', async () => {
  const before = liveFds()
  const { compositor, powers } = desktop([...USUAL_GLOBALS])
  const outcome = await openSecurityContext(powers, request, soon())
  expect(outcome._unsafeUnwrapErr().kind).toBe('not-offered')
  expect(existsSync(request.path)).toBe(false)
  compositor.close()
  expect(liveFds()).toBe(before)
})

test('a compositor that refuses ends it with its own words', async () => {
  const before = liveFds()
  const { compositor, powers } = desktop()
  const usual = compositor.onMessage!
  compositor.onMessage = (seen, known) => {
    if (seen.name !== 'wp_security_context_manager_v1.create_listener') usual(seen, known)
    else compositor.send(1, 'error', 4, 1, 'not a\x1b[2J listening socket')
  }
  const outcome = await openSecurityContext(powers, request, soon())
  expect(outcome._unsafeUnwrapErr()).toMatchObject({
    kind: 'refused',
    message: 'not a\\x1b[2J listening socket',
  })
  expect(existsSync(request.path)).toBe(false)
  compositor.close()
  expect(liveFds()).toBe(before)
})
