import { pattern } from '@spectrum/guest-agent/conformance'
import { expect } from 'vitest'
import type { HostService } from '../../src/broker/powers.js'
import type { PersonsAnswer, Prompter, Question } from '../../src/prompter/prompter.js'
import { type Between, type CallOptions, collect } from './subject.js'

/** One promise of the broker: a sentence, and what must hold between two units. */
export type CallCheck = readonly [string, (between: Between) => Promise<void>, CallOptions?]

const megabyte = pattern(1024 * 1024 + 13, 3)
const upper: HostService = async ({ request, respond }) => {
  for await (const chunk of request) await respond(Buffer.from(Buffer.from(chunk).toString().toUpperCase()))
}
const questions: Question[] = []
const says = (answer: PersonsAnswer): Prompter => ({
  async ask(question) {
    questions.push(question)
    return answer
  },
})
const firstOf = async (stream: AsyncIterable<Uint8Array>) => {
  for await (const chunk of stream) return Buffer.from(chunk).toString()
  return undefined
}

export const callChecks: readonly CallCheck[] = [
  [
    'carries a megabyte each way to a command, byte for byte, and tells why it may',
    async (between) => {
      expect((await between.ask('cat', megabyte)).equals(megabyte)).toBe(true)
      expect(await between.told('allowed')).toMatchObject({
        unit: 'the-mail',
        need: 'cat',
        service: 'test.pipe',
        target: { kind: 'unit', unit: 'the-vault', provision: 'cat' },
        reasons: [{ says: 'passes' }],
        audit: ['cats'],
      })
      expect(await between.told('ended')).toMatchObject({
        end: { kind: 'completed', outcome: { kind: 'exited', code: 0 } },
        requestBytes: megabyte.length,
        responseBytes: megabyte.length,
      })
    },
  ],
  [
    'tells a command who calls',
    async (between) => {
      const said = (await between.ask('place')).toString()
      expect(said).toContain('SPECTRUM_CALLER=the-mail\nSPECTRUM_SERVICE=test.pipe\n')
      expect(said).not.toContain('SPECTRUM_ARGUMENT')
    },
  ],
  [
    'carries a megabyte each way to a socket, with the end of the request before the answer',
    async (between) => {
      await between.listen()
      expect((await between.ask('echo', megabyte)).equals(megabyte)).toBe(true)
      expect((await between.ask('echo')).length).toBe(0)
      expect(await between.told('ended')).toMatchObject({ end: { kind: 'completed' } })
    },
  ],
  [
    'carries a call to a function of the host program',
    async (between) => {
      expect((await between.ask('function', 'quiet')).toString()).toBe('QUIET')
      expect(await between.told('allowed')).toMatchObject({ target: { kind: 'host', name: 'function' } })
    },
    { service: upper },
  ],
  [
    'ends a call whose function throws, and says so',
    async (between) => {
      expect((await between.ask('function', 'x')).length).toBe(0)
      const { end } = await between.told('ended')
      expect(end).toMatchObject({ kind: 'provider-failed', message: expect.stringContaining('no \\x1b') })
    },
    {
      service: () => {
        throw new Error('no \x1b[2J')
      },
    },
  ],
  [
    'ends a call whose function throws what cannot be put into words',
    async (between) => {
      expect((await between.ask('function', 'x')).length).toBe(0)
      expect((await between.told('ended')).end).toMatchObject({ kind: 'provider-failed' })
    },
    {
      service: () => {
        throw Object.create(null)
      },
    },
  ],
  [
    'passes on the argument that it has checked, and the request after it',
    async (between) => {
      await between.listen()
      const said = (await between.ask('namedPlace', '"key"\n')).toString()
      expect(said).toContain('SPECTRUM_ARGUMENT="key"\n')
      const echoed = (await between.ask('namedEcho', '  "key"  \nand more\n')).toString()
      expect(echoed).toBe('{"caller":"the-mail","argument":"key"}\nand more\n')
    },
  ],
  [
    'refuses an argument that does not fit, is no JSON, or never ends',
    async (between) => {
      for (const line of [
        '"much too long"\n',
        'no json\n',
        '"no end"',
        '\xff\n',
        `${' '.repeat(40_000)}1\n`,
      ]) {
        expect((await between.ask('namedPlace', Buffer.from(line, 'latin1'))).length).toBe(0)
      }
      await expect.poll(() => between.events.length).toBe(5)
      for (const event of between.events) {
        expect(event).toMatchObject({ kind: 'refused', refusal: 'invalid-argument' })
      }
    },
  ],
  [
    'does not wait for an argument without end',
    async (between) => {
      const process = await between.call('namedPlace')
      expect((await collect(process.stdout)).length).toBe(0)
      expect(await between.told('refused')).toMatchObject({ refusal: 'invalid-argument' })
    },
    { limits: { argumentMs: 50 } },
  ],
  [
    'shows a caller that is denied, unwired, or without provider the same, and tells the host which',
    async (between) => {
      const seen = []
      for (const need of ['unwired', 'away', 'asked', 'function']) {
        const process = await between.call(need)
        const [stdout, stderr] = await Promise.all([collect(process.stdout), collect(process.stderr)])
        seen.push({ outcome: await process.outcome, stdout: stdout.length, stderr: stderr.toString() })
      }
      const nothing = { outcome: { kind: 'exited', code: 0 }, stdout: 0, stderr: '' }
      expect(seen).toEqual([nothing, nothing, nothing, nothing])
      await expect.poll(() => between.events.length).toBe(4)
      expect(between.events.map((event) => event.kind === 'refused' && event.refusal)).toEqual([
        ...['no-edge', 'provider-absent', 'attenuated', 'provider-absent'],
      ])
    },
  ],
  [
    'decides a predicate on the argument',
    async (between) => {
      expect((await between.ask('only', '"a"\n')).toString()).toContain('SPECTRUM_ARGUMENT="a"')
      expect((await between.ask('only', '"c"\n')).length).toBe(0)
      const refused = await between.told('refused')
      expect(refused.reasons).toMatchObject([{ says: 'refuses' }])
    },
  ],
  [
    'carries a call once, and refuses it afterwards',
    async (between) => {
      expect((await between.ask('once', 'x')).toString()).toBe('x')
      expect((await between.ask('once', 'x')).length).toBe(0)
      expect(await between.told('refused')).toMatchObject({ refusal: 'attenuated' })
    },
  ],
  [
    'neither counts nor asks about a call that nobody is there to take',
    async (between) => {
      for (let i = 0; i < 2; i++) expect((await between.ask('onceAway', 'x')).length).toBe(0)
      await expect
        .poll(() => between.events.map((event) => 'refusal' in event && event.refusal))
        .toEqual([...['provider-absent', 'provider-absent']])
      expect(questions).toEqual([])
      expect(between.events[0]).toMatchObject({ target: { kind: 'unit', unit: 'away' } })
    },
    { prompter: says('allow') },
  ],
  [
    'ends the calls of an edge that is revoked, and carries no other',
    async (between) => {
      expect((await between.ask('revocable', 'x')).toString()).toBe('x')
      const open = await between.call('revocable')
      await expect.poll(() => between.broker.open).toBe(1)
      await expect.poll(() => between.events.length).toBe(3)
      expect(between.broker.revoke('cats')).toBe(1)
      expect((await open.outcome).kind).toBe('exited')
      expect((await between.ask('revocable', 'x')).length).toBe(0)
      // Its provider's command takes its time to end: the next call may be refused before that.
      await expect.poll(() => between.events.length).toBe(5)
      const [end] = between.events.slice(3).filter(({ kind }) => kind === 'ended')
      expect(end).toMatchObject({ end: { kind: 'revoked' } })
    },
  ],
  [
    'closes the request of a caller that may only read',
    async (between) => {
      expect((await between.ask('silent', 'a secret')).length).toBe(0)
      // A caller that writes all the same has nobody to write to, and may die of it.
      const { end, requestBytes } = await between.told('ended')
      expect(end.kind).toMatch(/completed|caller-gone/)
      expect(requestBytes).toBe(0)
    },
  ],
  [
    'carries what a person has allowed',
    async (between) => {
      expect((await between.ask('asked', 'x')).toString()).toBe('x')
      expect(questions).toEqual([
        {
          unit: 'mail',
          need: 'asked',
          service: 'test.pipe',
          provider: 'vault',
          argument: undefined,
          conditions: ['asks each time'],
        },
      ])
      questions.length = 0
    },
    { prompter: says('allow') },
  ],
  [
    'refuses what a person has not allowed',
    async (between) => {
      expect((await between.ask('asked', 'x')).length).toBe(0)
      expect(await between.told('refused')).toMatchObject({ refusal: 'attenuated' })
      questions.length = 0
    },
    { prompter: says('deny') },
  ],
  [
    'takes a prompter that breaks for a no, and waits for none without end',
    async (between) => {
      expect((await between.ask('asked', 'x')).length).toBe(0)
      expect(await between.told('refused')).toMatchObject({
        refusal: 'attenuated',
        message: expect.stringContaining('Nobody answered'),
      })
    },
    { prompter: { ask: () => new Promise(() => {}) }, limits: { askMs: 50 } },
  ],
  [
    'stops asking for a caller that has gone, and bounds what it asks at once',
    async (between) => {
      const asking = [await between.call('asked'), await between.call('asked')]
      expect(await between.told('refused')).toMatchObject({ refusal: 'busy' })
      for (const each of asking) await each.signal(9)
      await expect
        .poll(() => between.events.map((event) => 'refusal' in event && event.refusal))
        .toEqual([...['busy', 'caller-gone']])
    },
    { prompter: { ask: () => new Promise(() => {}) }, limits: { asking: 1 } },
  ],
  [
    'ends a call with the command that was killed under it',
    async (between) => {
      const process = await between.call('wait')
      expect(await firstOf(process.stdout)).toBe('ready\n')
      between.vault.lose()
      expect((await process.outcome).kind).toBe('exited')
      expect((await between.told('ended')).end.kind).toBe('provider-failed')
      // The unit is no provider any more.
      expect((await between.ask('cat', 'x')).length).toBe(0)
      expect(await between.told('refused')).toMatchObject({ refusal: 'provider-absent' })
    },
  ],
  [
    'says how a provider failed: missing, or nobody at its socket',
    async (between) => {
      for (const need of ['missing', 'nobody']) expect((await between.ask(need, 'x')).length).toBe(0)
      await expect.poll(() => between.events.filter(({ kind }) => kind === 'ended')).toHaveLength(2)
      for (const event of between.events.filter((each) => each.kind === 'ended'))
        expect(event.end.kind).toBe('provider-failed')
    },
  ],
  [
    'reports the exit code of a command, and hands on what it said',
    async (between) => {
      expect((await between.ask('fail')).length).toBe(0)
      expect(await between.told('ended')).toMatchObject({
        end: { kind: 'completed', outcome: { kind: 'exited', code: 7 } },
      })
    },
  ],
  [
    'ends the command of a caller that died',
    async (between) => {
      const process = await between.call('wait')
      expect(await firstOf(process.stdout)).toBe('ready\n')
      await process.signal(9)
      expect(await between.told('ended')).toMatchObject({ end: { kind: 'caller-gone' } })
      await expect.poll(() => between.broker.open).toBe(0)
    },
  ],
  [
    'lets a command without an answer take all that a caller left behind',
    async (between) => {
      const hangUp = await between.start(between.mail, 'hang-up', `${between.mail.services}/log`)
      expect((await hangUp.outcome).kind).toBe('exited')
      expect(await between.told('ended')).toMatchObject({ end: { kind: 'completed' }, requestBytes: 5 })
    },
  ],
  [
    'lets no stalled reader stop another call',
    async (between) => {
      // Its answer is not read: it stalls on the way, with everything behind it.
      const stalled = await between.call('flood')
      await between.told('allowed')
      for (let i = 0; i < 2; i++) expect((await between.ask('cat', megabyte)).equals(megabyte)).toBe(true)
      expect((await collect(stalled.stdout)).equals(pattern(2 * 1024 * 1024, 1))).toBe(true)
    },
  ],
  [
    'ends a call in which nothing moves',
    async (between) => {
      const process = await between.call('cat')
      expect((await collect(process.stdout)).length).toBe(0)
      expect(await between.told('ended')).toMatchObject({ end: { kind: 'stalled' } })
    },
    { limits: { idleMs: 100 } },
  ],
  [
    'ends a call that carries more than the service allows',
    async (between) => {
      expect((await between.ask('shortCat', '0123456789')).toString()).toBe('0123456789')
      expect((await between.ask('shortCat', '0123456789x')).length).toBeLessThanOrEqual(10)
      expect((await between.ask('shortPlace')).length).toBeLessThanOrEqual(10)
      const ends = () => between.events.flatMap((event) => (event.kind === 'ended' ? [event.end] : []))
      await expect.poll(ends).toHaveLength(3)
      expect(ends().slice(1)).toEqual([
        { kind: 'too-long', stream: 'request' },
        { kind: 'too-long', stream: 'response' },
      ])
    },
  ],
  [
    'bounds the calls of an edge and of a unit, and takes new ones when those have ended',
    async (between) => {
      const held = [await between.call('wait'), await between.call('wait')]
      for (const each of held) expect(await firstOf(each.stdout)).toBe('ready\n')
      expect((await between.ask('wait')).length).toBe(0)
      const last = await between.call('flood')
      await expect.poll(() => between.events.filter(({ kind }) => kind === 'allowed')).toHaveLength(3)
      expect((await between.ask('cat', 'x')).length).toBe(0)
      const refusals = between.events.flatMap((event) => ('refusal' in event ? [event.refusal] : []))
      expect(refusals).toEqual(['busy', 'busy'])
      for (const each of [...held, last]) await each.signal(9)
      await expect.poll(() => between.broker.open).toBe(0)
      expect((await between.ask('cat', 'x')).toString()).toBe('x')
    },
    { limits: { perUnit: 3, perEdge: 2 } },
  ],
  [
    'ends every call when it is closed, also those that are not decided yet',
    async (between) => {
      const waiting = await between.call('wait')
      expect(await firstOf(waiting.stdout)).toBe('ready\n')
      const undecided = [await between.call('asked'), await between.call('namedPlace')]
      await expect.poll(() => between.broker.open).toBe(3)
      between.broker.close()
      for (const each of [waiting, ...undecided]) expect((await each.outcome).kind).toBe('exited')
      expect(await between.told('ended')).toMatchObject({ end: { kind: 'host-closed' } })
      expect((await between.ask('cat', 'x')).length).toBe(0)
    },
    { prompter: { ask: () => new Promise(() => {}) } },
  ],
]
