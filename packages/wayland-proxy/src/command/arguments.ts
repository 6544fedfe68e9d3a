import { err, ok, type Result } from 'neverthrow'

/** What the command was asked to do. */
export interface CommandLine {
  readonly policy: string | undefined
  readonly protocols: readonly string[]
  /** The compositor's socket; default: the environment's. */
  readonly compositor: string | undefined
  /** The application id under which the compositor is to know the clients. */
  readonly securityContext: string | undefined
  readonly dryRun: boolean
  readonly trace: boolean
  /** A file that does not exist yet, for all that arrives, without secrets. */
  readonly capture: string | undefined
  readonly crossDomain: boolean
  readonly work:
    | { readonly kind: 'run'; readonly argv: readonly string[] }
    | { readonly kind: 'listen'; readonly path: string }
    | { readonly kind: 'inherited'; readonly descriptor: number }
    | { readonly kind: 'explain'; readonly name: string }
    | { readonly kind: 'schema' }
    | { readonly kind: 'help' }
}

export const USAGE = `usage: spectrum-wayland --policy FILE [OPTION…] -- COMMAND [ARGUMENT…]
       spectrum-wayland --policy FILE [OPTION…] --listen PATH
       spectrum-wayland --policy FILE [OPTION…] --inherited FD
       spectrum-wayland --policy FILE --explain INTERFACE[.MESSAGE]
       spectrum-wayland --schema

Puts a policy between a program, or a unit, and the compositor.

  --policy FILE        JSON; read again on SIGHUP. \`--policy default\` is what holds when nothing is said
  --listen PATH        serve whoever connects there, until SIGTERM or SIGINT
  --inherited FD       serve one client, over a connected socket that is open already
  --compositor PATH    default: WAYLAND_DISPLAY
  --security-context ID  tell the compositor, where it can be told, that these clients are ID and sandboxed
  --protocol FILE      add an XML file to the known protocols; may be given more than once
  --cross-domain       the clients are behind crosvm's cross-domain device
  --dry-run            say what would be refused, and let it pass
  --trace              write each message to standard error, without secrets
  --capture FILE       write all that arrives to a new file, without secrets, so that a test can replay it
  --explain NAME       say what becomes of an interface or a message
  --schema             write the JSON schema of policies
`

const VALUED = [
  '--policy',
  '--listen',
  '--inherited',
  '--compositor',
  '--protocol',
  '--security-context',
  '--capture',
  '--explain',
] as const
const PLAIN = ['--dry-run', '--trace', '--cross-domain', '--schema', '--help'] as const

/** Reads the arguments after the program's name. The error is a sentence for the user. */
export function parseArguments(argv: readonly string[]): Result<CommandLine, string> {
  const values = new Map<string, string[]>()
  const flags = new Set<string>()
  let command: readonly string[] | undefined
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    if (word === '--') {
      command = argv.slice(at + 1)
      break
    }
    const equals = word.indexOf('=')
    const name = equals < 0 ? word : word.slice(0, equals)
    if (PLAIN.includes(word as (typeof PLAIN)[number])) flags.add(word)
    else if (VALUED.includes(name as (typeof VALUED)[number])) {
      const value = equals < 0 ? argv[++at] : word.slice(equals + 1)
      if (value === undefined || value === '') return err(`${name} needs a value`)
      values.set(name, [...(values.get(name) ?? []), value])
    } else return err(`${JSON.stringify(word)} is not understood; the command goes behind --`)
  }
  for (const [name, given] of values) {
    if (given.length > 1 && name !== '--protocol') return err(`${name} is given twice`)
  }
  const one = (name: string) => values.get(name)?.[0]
  const work = workOf(one, flags, command)
  if (work.isErr()) return err(work.error)
  const policy = one('--policy')
  const needsPolicy = work.value.kind !== 'schema' && work.value.kind !== 'help'
  if (needsPolicy && policy === undefined) {
    return err('--policy is missing: name a file, or say --policy default')
  }
  return ok({
    policy,
    protocols: values.get('--protocol') ?? [],
    compositor: one('--compositor'),
    securityContext: one('--security-context'),
    dryRun: flags.has('--dry-run'),
    trace: flags.has('--trace'),
    capture: one('--capture'),
    crossDomain: flags.has('--cross-domain'),
    work: work.value,
  })
}

function workOf(
  one: (name: string) => string | undefined,
  flags: ReadonlySet<string>,
  command: readonly string[] | undefined,
): Result<CommandLine['work'], string> {
  if (flags.has('--help')) return ok({ kind: 'help' })
  const found: CommandLine['work'][] = []
  if (flags.has('--schema')) found.push({ kind: 'schema' })
  const [name, path, inherited] = [one('--explain'), one('--listen'), one('--inherited')]
  if (name !== undefined) found.push({ kind: 'explain', name })
  if (path !== undefined) found.push({ kind: 'listen', path })
  if (inherited !== undefined) {
    if (!/^[0-9]{1,6}$/.test(inherited))
      return err(`--inherited ${inherited}: use the number of a descriptor`)
    found.push({ kind: 'inherited', descriptor: Number(inherited) })
  }
  if (command !== undefined) {
    if (command.length === 0) return err('-- is followed by no command')
    found.push({ kind: 'run', argv: command })
  }
  const [work, second] = found
  if (work === undefined)
    return err('nothing to do: give a command behind --, --listen, --inherited or --explain')
  return second === undefined
    ? ok(work)
    : err('give one of a command, --listen, --inherited, --explain, --schema')
}
