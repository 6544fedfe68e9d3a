import type { Agent, GuestProcess } from '@spectrum/guest-agent'
import {
  Authority,
  absent,
  ask,
  audit,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  once,
  oneOf,
  only,
  readOnly,
  revocable,
  text,
} from '@spectrum/unit-graph'
import type { Clock } from '@spectrum/unit-monitor'
import { expect } from 'vitest'
import { Broker } from '../../src/broker/broker.js'
import type { CallEvent } from '../../src/broker/events.js'
import type { CallLimits } from '../../src/broker/limits.js'
import type { HostService } from '../../src/broker/powers.js'
import type { Prompter } from '../../src/prompter/prompter.js'

/** One unit with a probe in it, as the conformance checks of the agent have it. */
export interface ProbeUnit extends AsyncDisposable {
  readonly agent: Agent
  readonly probe: readonly string[]
  /** Where programs of the unit find what they may call. */
  readonly services: string
  /** Where programs of the unit may listen. */
  readonly sockets: string
  /** The unit vanishes. */
  lose(): void
}

export interface CallOptions {
  readonly limits?: Partial<CallLimits>
  readonly prompter?: Prompter
  readonly service?: HostService
}

const store = closure('/nix/store/00000000000000000000000000000000-x')
const streams = { request: bytes(), response: bytes() }
const Pipe = defineService('test.pipe', streams)
const Named = defineService('test.named', { ...streams, argument: text({ max: 8 }) })
const Short = defineService('test.short', { request: bytes({ max: 10 }), response: bytes({ max: 10 }) })
const Log = defineService('test.log', { request: bytes() })

/** Everything that a call can meet, on edges from `mail` to `vault` and to the host program. */
function graphOf(vault: ProbeUnit) {
  const run = (...verb: string[]) => [...vault.probe, ...verb] as [string, ...string[]]
  const provider = defineUnit('the-vault', {
    store,
    provides: {
      cat: Pipe.command(run('cat')),
      place: Pipe.command(run('place')),
      wait: Pipe.command(run('wait')),
      flood: Pipe.command(run('flood', String(2 * 1024 * 1024))),
      missing: Pipe.command(['/no/such/program']),
      fail: Pipe.command(run('fail', '7')),
      echo: Pipe.socket(`${vault.sockets}/echo`),
      nobody: Pipe.socket(`${vault.sockets}/nobody`),
      namedPlace: Named.command(run('place')),
      namedEcho: Named.socket(`${vault.sockets}/echo`),
      shortCat: Short.command(run('cat')),
      shortPlace: Short.command(run('place')),
      log: Log.command(run('cat')),
    },
  })
  const away = defineUnit('away', { store, provides: { cat: Pipe.command(['/x']) } })
  const { cat, namedPlace, ...plain } = provider.provides
  const mail = defineUnit('the-mail', {
    store,
    needs: {
      cat: Pipe,
      place: Pipe,
      wait: Pipe,
      flood: Pipe,
      missing: Pipe,
      fail: Pipe,
      echo: Pipe,
      nobody: Pipe,
      namedPlace: Named,
      namedEcho: Named,
      shortCat: Short,
      shortPlace: Short,
      log: Log,
      away: Pipe,
      unwired: Pipe.optional(),
      function: Pipe,
      asked: Pipe,
      once: Pipe,
      onceAway: Pipe,
      only: Named,
      silent: Pipe,
      revocable: Pipe,
    },
  })
  return compose({ vault: provider, mail, away })
    .wire({
      mail: {
        ...plain,
        cat: cat.with(audit('cats')),
        namedPlace,
        away: away.provides.cat,
        unwired: absent,
        function: fromHost(Pipe, 'function'),
        asked: cat.with(ask()),
        once: cat.with(once()),
        onceAway: away.provides.cat.with(once(), ask()),
        only: namedPlace.with(only(oneOf('a', 'b'))),
        silent: cat.with(readOnly()),
        revocable: cat.with(revocable('cats')),
      },
    })
    ._unsafeUnwrap()
}

/** Two units, a broker between them, and what it told. */
export class Between implements AsyncDisposable {
  readonly events: CallEvent[] = []
  readonly authority: Authority
  readonly broker: Broker

  private constructor(
    readonly vault: ProbeUnit,
    readonly mail: ProbeUnit,
    clock: Clock,
    options: CallOptions,
  ) {
    this.authority = new Authority(graphOf(vault))
    this.broker = new Broker(
      this.authority,
      {
        clock,
        epochMs: () => 0,
        prompter: options.prompter,
        services: options.service === undefined ? {} : { function: options.service },
        onEvent: (event) => this.events.push(event),
      },
      options.limits,
    )
  }

  static async open(
    unit: () => Promise<ProbeUnit>,
    clock: Clock,
    options: CallOptions = {},
  ): Promise<Between> {
    const between = new Between(await unit(), await unit(), clock, options)
    for (const key of ['vault', 'mail'] as const) {
      ;(await between.broker.attach(key, between[key].agent))._unsafeUnwrap()
    }
    return between
  }

  /** A program of `mail` that calls the service. */
  async call(need: string): Promise<GuestProcess> {
    return this.start(this.mail, 'call', `${this.mail.services}/${need}`)
  }

  async start(unit: ProbeUnit, ...verb: string[]): Promise<GuestProcess> {
    const command = { argv: [...unit.probe, ...verb], stdin: 'open' } as const
    return (await unit.agent.exec(command))._unsafeUnwrap()
  }

  /** Calls with this request and returns the answer. */
  async ask(need: string, request: Uint8Array | string = ''): Promise<Buffer> {
    const process = await this.call(need)
    const write = async () => {
      // It may be refused before it is read.
      try {
        await process.stdin?.write(typeof request === 'string' ? Buffer.from(request) : request)
        await process.stdin?.end()
      } catch {}
    }
    const [answer] = await Promise.all([collect(process.stdout), write()])
    return answer
  }

  /** Makes `vault` listen where it provides by a socket. */
  async listen(): Promise<GuestProcess> {
    const server = await this.start(this.vault, 'serve', `${this.vault.sockets}/echo`)
    for await (const chunk of server.stdout) {
      expect(Buffer.from(chunk).toString()).toBe('listening\n')
      break
    }
    return server
  }

  /** The one event of this kind, once it is there. */
  async told<Kind extends CallEvent['kind']>(kind: Kind): Promise<Extract<CallEvent, { kind: Kind }>> {
    await expect.poll(() => this.events.map((event) => event.kind)).toContain(kind)
    return this.events.find((event) => event.kind === kind) as Extract<CallEvent, { kind: Kind }>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.broker.close()
    await expect.poll(() => this.broker.open).toBe(0)
    await this.mail[Symbol.asyncDispose]()
    await this.vault[Symbol.asyncDispose]()
  }
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
