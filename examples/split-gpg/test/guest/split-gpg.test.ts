import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scriptedPrompter } from '@spectrum/unit-runtime/fake'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianPrograms } from '../../../debian-programs/src/debian-programs.js'
import { callProgram } from '../../src/call-program.js'
import { type Report, splitGpg } from '../../src/split-gpg.js'

const answers = ['allow', 'deny'] as const
const prompter = scriptedPrompter(() => answers[prompter.asked.length - 1] ?? 'deny')
let report: Report
let state: string
const stateBefore = process.env['XDG_STATE_HOME']

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'split-gpg-state-'))
  process.env['XDG_STATE_HOME'] = state
  const tools = { gnupg: await debianPrograms('gnupg1', ['/usr/bin/gpg1']), call: await callProgram() }
  const letters = ['Dear Bob, we meet on Tuesday.\n', 'Dear bank, all my money to Mallory.\n']
  report = (await splitGpg(tools, { prompter, letters }))._unsafeUnwrap()
})

afterAll(async () => {
  if (stateBefore === undefined) delete process.env['XDG_STATE_HOME']
  else process.env['XDG_STATE_HOME'] = stateBefore
  await rm(state, { recursive: true, force: true })
})

describe('a vault that signs for a mail unit', () => {
  it('asks a person about each letter, by the names of the graph', () => {
    const asked = prompter.asked.map(({ unit, need, provider, service }) => [unit, need, provider, service])
    expect(asked).toEqual(Array(2).fill(['mail', 'sign', 'vault', 'org.example.sign']))
  })

  it('signs what was allowed, and the signature verifies elsewhere', () => {
    const [allowed] = report.letters
    expect(allowed?.signed).toMatch(
      /^-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA\d+\n\nDear Bob, we meet on Tuesday\.\n/,
    )
    expect(allowed?.good).toBe(true)
  })

  it('signs nothing that was denied', () => {
    const [, denied] = report.letters
    expect(denied).toMatchObject({ signed: '', good: false })
  })

  it('gives the public key to the mail unit, and no secret one', () => {
    expect(report.publicKey).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/)
    expect(report.secretsInMail).toBe('')
  })

  it('leaves no host behind', async () => {
    expect(await readdir(join(state, 'spectrum', 'hosts'))).toEqual([])
  })
})
