import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAgent } from '@spectrum/guest-agent'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startAgentProcess } from './support/agent-process.js'
import { buildTestPrograms } from './support/built.js'
import { clock } from './support/clock.js'
import { socketChannel } from './support/socket-channel.js'

let built: ReturnType<typeof buildTestPrograms>
let below: string
beforeAll(() => {
  built = buildTestPrograms()
  below = mkdtempSync(join(tmpdir(), 'interrupted-'))
}, 120_000)
afterAll(() => rmSync(below, { recursive: true, force: true }))

const interrupted = { kind: 'file-failed', reason: 'interrupted' }

describe('a file that is put, whose process in the unit is asked to end', () => {
  it.each(['a new file', 'a file that is there'])(
    'after the last byte, in the place of %s, has failed of that, was never there, and its unit goes on',
    async (what) => {
      const wrapper = ['env', `LD_PRELOAD=${built.termAtFsync}`]
      await using agentProcess = startAgentProcess(built.agentPlain, wrapper)
      const agent = (await connectAgent(socketChannel(agentProcess.socket), { clock }))._unsafeUnwrap()
      const path = what.replaceAll(' ', '-')
      if (what.includes('there')) writeFileSync(join(below, path), 'old')
      for (let again = 0; again < 2; again++)
        expect((await agent.putFile({ below, path }, Buffer.from('new')))._unsafeUnwrapErr()).toMatchObject({
          ...interrupted,
          errno: 'ECANCELED',
        })
      expect(existsSync(join(below, path)) && readFileSync(join(below, path), 'utf8')).toBe(
        what.includes('there') && 'old',
      )
      expect(readdirSync(below).filter((name) => name.includes('put-'))).toEqual([])
      expect((await agent.getFile({ below, path: 'none' }))._unsafeUnwrapErr()).toMatchObject({
        reason: 'not-found',
      })
    },
  )

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'by %s before its last byte has failed of that',
    async (signal) => {
      await using agentProcess = startAgentProcess(built.agentAsan)
      const agent = (await connectAgent(socketChannel(agentProcess.socket), { clock }))._unsafeUnwrap()
      const children = `/proc/${agentProcess.pid}/task/${agentProcess.pid}/children`
      const killed = (async () => {
        await expect.poll(() => readdirSync(below).some((name) => name.includes('put-'))).toBe(true)
        process.kill(Number(readFileSync(children, 'utf8').trim()), signal)
      })()
      const content = (async function* () {
        yield Buffer.from('x')
        await killed
        yield Buffer.from('y')
      })()
      const put = await agent.putFile({ below, path: signal }, { size: 2, content })
      expect(put._unsafeUnwrapErr()).toMatchObject(interrupted)
      for (const name of readdirSync(below)) if (name.includes('put-')) rmSync(join(below, name))
      expect(existsSync(join(below, signal))).toBe(false)
    },
  )
})
