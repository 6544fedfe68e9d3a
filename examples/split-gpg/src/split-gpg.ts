import {
  ask,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  type HostError,
  nixStore,
  openHost,
  type Prompter,
  rate,
  type Unit,
} from '@spectrum/unit-runtime'
import { err, ok, type Result } from 'neverthrow'
import type { Programs } from '../../debian-programs/src/debian-programs.js'

/** What a mail program may ask for: a letter goes in, and comes back signed. Nothing else crosses, least of all a key. */
const Sign = defineService('org.example.sign', {
  request: bytes({ max: 65_536 }),
  response: bytes({ max: 131_072 }),
})

/** Two units. `vault` has the key and GnuPG; `mail` has GnuPG to verify with, and a program that calls services. */
function defineUnits({ gnupg, call }: Tools) {
  const vault = defineUnit('vault', {
    store: closure(gnupg.path),
    // Started for each call: the letter is its standard input, what it prints is the answer.
    provides: { sign: Sign.command(gnupg.argv('gpg1', ...IN_VAULT, '--clearsign')) },
  })
  const mail = defineUnit('mail', { store: closure(gnupg.path, call.path), needs: { sign: Sign } })
  return { vault, mail }
}

/** The only way from one to the other: a person is asked each time, and not more than ten times a minute. */
function defineGraph(tools: Tools) {
  const { vault, mail } = defineUnits(tools)
  return compose({ vault, mail }).wire({
    mail: { sign: vault.provides.sign.with(ask(), rate(10, 'minute')) },
  })
}

export async function splitGpg(tools: Tools, powers: Powers): Promise<Result<Report, HostError>> {
  const graph = defineGraph(tools)._unsafeUnwrap() // Written above: only a mistake in this file can make it fail.
  const opened = await openHost({ store: nixStore(), ...powers })
  if (opened.isErr()) return err(opened.error)
  await using host = opened.value
  const started = await host.start(graph)
  if (started.isErr()) return err(started.error)
  const { vault, mail } = started.value
  const run = runIn(tools.gnupg)

  // The key is born in the vault. The vault has no disk and no network: it dies there, too.
  await run(vault, ['gpg1', ...BATCH, '--gen-key'], ALICE)
  const publicKey = await run(vault, ['gpg1', ...IN_VAULT, '--armor', '--export'])
  await run(mail, ['gpg1', ...BATCH, '--import'], publicKey.stdout)

  const letters: Letter[] = []
  for (const text of powers.letters) {
    // A program in `mail` connects to /run/spectrum/services/sign. Who calls, the host knows by itself.
    const signed = await runIn(tools.call)(mail, ['call', '/run/spectrum/services/sign'], text)
    const verified = await run(mail, ['gpg1', ...BATCH, '--verify'], signed.stdout)
    letters.push({ text, signed: signed.stdout, good: verified.status === 0 })
  }
  const secrets = await run(mail, ['gpg1', ...BATCH, '--list-secret-keys'])
  return ok({ publicKey: publicKey.stdout, letters, secretsInMail: secrets.stdout })
}

const BATCH = ['--batch', '--no-tty', '--quiet'] as const
/** Commands of a service have no environment but what the call is about. */
const IN_VAULT = ['--homedir', '/tmp/.gnupg', ...BATCH] as const

const ALICE = `Key-Type: RSA
Key-Length: 2048
Name-Real: Alice
Name-Email: alice@example.org
%commit
`

export interface Tools {
  readonly gnupg: Programs
  readonly call: Programs
}

export interface Powers {
  /** The person. */
  readonly prompter: Prompter
  readonly letters: readonly string[]
  readonly signal?: AbortSignal
}

export interface Letter {
  readonly text: string
  /** Empty when the person did not allow it. */
  readonly signed: string
  /** Whether `mail` finds Alice's good signature on it. */
  readonly good: boolean
}

export interface Report {
  readonly publicKey: string
  readonly letters: readonly Letter[]
  /** What `mail` finds when it looks for secret keys. */
  readonly secretsInMail: string
}

/** Runs a program of this closure in a unit, with a home in the unit's memory. */
const runIn =
  (programs: Programs) =>
  async (unit: Unit, [program, ...rest]: readonly [string, ...string[]], stdin = '') => {
    const argv = programs.argv(program, ...rest)
    const ran = await unit.exec(argv, { stdin, env: { HOME: '/tmp' } })
    if (ran.isErr()) throw new Error(ran.error.message)
    const { outcome, stdout } = ran.value
    if (outcome.kind !== 'exited') throw new Error(`${program} in ${unit.name} was ${outcome.kind}`)
    return { status: outcome.code, stdout: new TextDecoder().decode(stdout) }
  }
