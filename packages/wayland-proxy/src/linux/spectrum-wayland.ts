#!/usr/bin/env node
/** The command: puts a policy between a program and the compositor. */
import { spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import process from 'node:process'
import type { Listener, UnixFd, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import { err, ok, type Result } from 'neverthrow'
import { type CommandLine, parseArguments, USAGE } from '../command/arguments.js'
import { LineBudget } from '../diagnostics/line-budget.js'
import { linuxRelayPowers } from '../linux.js'
import { explain } from '../policy/explain.js'
import { type Policy, parsePolicy, policySchema } from '../policy/policy.js'
import { parseProtocol } from '../protocol/parse.js'
import { extendedTable, type ProtocolTable } from '../protocol/table.js'
import { WaylandProxy } from '../proxy.js'
import { acceptClients } from '../transport/acceptor.js'
import { carryAcrossDomains } from '../transport/cross-domain.js'
import { openSecurityContext } from '../transport/security-context.js'
import { linuxCrossDomainPowers } from './descriptors.js'

const FAILED = 125
const USED_WRONGLY = 2

function say(text: string): void {
  process.stderr.write(`spectrum-wayland: ${text}\n`)
}

function readPolicyFile(path: string, dryRun: boolean): Result<Policy, string> {
  let text = '{}'
  try {
    if (path !== 'default') text = readFileSync(path, 'utf8')
  } catch (failure) {
    return err(`${path}: ${failure instanceof Error ? failure.message : String(failure)}`)
  }
  return parsePolicy(text)
    .map((policy) => (dryRun ? { ...policy, dryRun: true } : policy))
    .mapErr((error) => `${path}: ${error.message}`)
}

function readTable(paths: readonly string[]): Result<ProtocolTable, string> {
  const more = []
  for (const path of paths) {
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (failure) {
      return err(`${path}: ${failure instanceof Error ? failure.message : String(failure)}`)
    }
    const protocol = parseProtocol(text)
    if (protocol.isErr()) return err(`${path}: ${protocol.error.message}`)
    more.push(protocol.value.interfaces)
  }
  return extendedTable(...more).mapErr((error) => error.message)
}

/** As libwayland finds it. */
function compositorPath(given: string | undefined): Result<string, string> {
  const name = given ?? process.env['WAYLAND_DISPLAY'] ?? 'wayland-0'
  if (isAbsolute(name)) return ok(name)
  const directory = process.env['XDG_RUNTIME_DIR']
  return directory === undefined
    ? err('neither an absolute path nor XDG_RUNTIME_DIR')
    : ok(join(directory, name))
}

interface Service {
  readonly proxy: WaylandProxy
  readonly descriptors: UnixFd
  readonly connect: () => Result<UnixSocket, UnixFdError>
  readonly powers: Parameters<typeof acceptClients>[0]['powers']
}

/** Never over a file that is there: what is captured may be the only evidence. */
function openCapture(path: string): Result<(line: string) => void, string> {
  try {
    const descriptor = openSync(path, 'wx', 0o600)
    return ok((line) => void writeSync(descriptor, `${line}\n`))
  } catch (failure) {
    return err(`--capture ${path}: ${failure instanceof Error ? failure.message : String(failure)}`)
  }
}

function openService(line: CommandLine, policy: Policy, table: ProtocolTable): Result<Service, string> {
  const descriptors = unixFd()
  const powers = linuxRelayPowers()
  if (descriptors.isErr()) return err(descriptors.error.message)
  if (powers.isErr()) return err(powers.error.message)
  const path = compositorPath(line.compositor)
  if (path.isErr()) return err(`where is the compositor? ${path.error}; use --compositor`)
  const capture = line.capture === undefined ? ok(undefined) : openCapture(line.capture)
  if (capture.isErr()) return err(capture.error)
  // What a unit brings about, as often as it likes.
  const log = new LineBudget(say, () => performance.now())
  const proxy = new WaylandProxy(powers.value, {
    policy,
    table,
    ...(capture.value && { capture: capture.value }),
    ...(line.crossDomain && { carry: carryAcrossDomains(linuxCrossDomainPowers(descriptors.value)) }),
    ...(line.trace && { trace: (text: string) => process.stderr.write(`${text}\n`) }),
    onWarning: ({ code, session, message, passed }) => {
      const who = session === undefined ? '' : ` #${session}`
      log.say(`${code}${who}: ${message}${passed ? ' (let pass: dry run)' : ''}`)
    },
    onEnd: (session, ending) => {
      if (ending.kind === 'client-left' || ending.kind === 'stopped') return
      log.say(`#${session} ended, ${ending.kind}: ${ending.message}`)
      if (!line.trace) for (const text of proxy.recentMessages().slice(-20)) log.say(`  ${text}`)
    },
  })
  const connect = () => descriptors.value.connect(path.value, 'stream')
  return ok({ proxy, descriptors: descriptors.value, connect, powers: powers.value })
}

/** The policy's file is read again; what is wrong in it changes nothing. */
function reloadOn(signal: 'SIGHUP', line: CommandLine, proxy: WaylandProxy): void {
  process.on(signal, () => {
    const policy = readPolicyFile(line.policy ?? 'default', line.dryRun)
    if (policy.isErr()) say(`the policy stays as it is: ${policy.error}`)
    else {
      proxy.setPolicy(policy.value)
      say('the policy was read again')
    }
  })
}

async function serve(service: Service, listener: Listener, stop: AbortSignal): Promise<number> {
  const { proxy, powers, connect } = service
  const served = await acceptClients({ proxy, powers, listener, connect }, stop)
  if (served.isOk()) return 0
  say(served.error.message)
  return FAILED
}

/** Runs the command with the proxy as its only compositor, and gives its exit status. */
async function run(service: Service, argv: readonly string[]): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'spectrum-wayland-'))
  const stop = new AbortController()
  try {
    const path = join(directory, 'wayland')
    const listener = service.descriptors.listen(path, 'stream')
    if (listener.isErr()) {
      say(listener.error.message)
      return FAILED
    }
    const served = serve(service, listener.value, stop.signal)
    const environment: NodeJS.ProcessEnv = { ...process.env, WAYLAND_DISPLAY: path }
    // Ways around the proxy: another socket, and X11.
    delete environment['WAYLAND_SOCKET']
    delete environment['DISPLAY']
    const [file, ...rest] = argv
    const child = spawn(file!, rest, { stdio: 'inherit', env: environment })
    const forward = (name: NodeJS.Signals) => child.kill(name)
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, forward)
    const status = await new Promise<number>((resolve) => {
      child.on('error', (failure) => {
        say(`${file}: ${failure.message}`)
        resolve(127)
      })
      child.on('exit', (code, signal) => resolve(signal === null ? (code ?? FAILED) : 128))
    })
    stop.abort()
    await served
    listener.value.close()
    return status
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const SECURITY_CONTEXT_MS = 10_000

/** The way to the compositor: through a context of its own, where that was asked for and can be had. */
async function throughSecurityContext(line: CommandLine, service: Service) {
  const plain = { connect: service.connect, close: () => undefined }
  const compositor = compositorPath(line.compositor)
  if (line.securityContext === undefined || compositor.isErr()) return plain
  const { descriptors } = service
  const directory = mkdtempSync(join(tmpdir(), 'spectrum-wayland-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  const context = await openSecurityContext(
    {
      connect: (path) => descriptors.connect(path, 'stream'),
      listen: (path) => descriptors.listen(path, 'stream'),
      pipe: () => descriptors.createPipe(),
    },
    {
      compositor: compositor.value,
      path: join(directory, 'context'),
      appId: line.securityContext,
      instanceId: `${line.securityContext}-${process.pid}`,
    },
    AbortSignal.timeout(SECURITY_CONTEXT_MS),
  )
  if (context.isErr()) {
    say(`without a security context: ${context.error.message}`)
    remove()
    return plain
  }
  const close = () => {
    context.value.close()
    remove()
  }
  return { connect: context.value.connect, close }
}

async function work(line: CommandLine): Promise<number> {
  if (line.work.kind === 'help') {
    process.stdout.write(USAGE)
    return 0
  }
  if (line.work.kind === 'schema') {
    process.stdout.write(`${JSON.stringify(policySchema, undefined, 2)}\n`)
    return 0
  }
  const policy = readPolicyFile(line.policy ?? 'default', line.dryRun)
  const table = readTable(line.protocols)
  if (policy.isErr() || table.isErr()) {
    say(policy.isErr() ? policy.error : table.isErr() ? table.error : '')
    return USED_WRONGLY
  }
  if (line.work.kind === 'explain') {
    const { outcome, why } = explain(policy.value, table.value, line.work.name)
    process.stdout.write(`${line.work.name}: ${outcome}\n${why.map((one) => `  ${one}\n`).join('')}`)
    return 0
  }
  const service = openService(line, policy.value, table.value)
  if (service.isErr()) {
    say(service.error)
    return FAILED
  }
  const withContext = await throughSecurityContext(line, service.value)
  try {
    return await serveAsAsked(line, { ...service.value, connect: withContext.connect })
  } finally {
    withContext.close()
  }
}

async function serveAsAsked(line: CommandLine, service: Service): Promise<number> {
  const { proxy, descriptors, connect } = service
  reloadOn('SIGHUP', line, proxy)
  if (line.work.kind === 'run') return run(service, line.work.argv)
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort())
  if (line.work.kind === 'inherited') {
    const compositor = connect()
    if (compositor.isErr()) {
      say(compositor.error.message)
      return FAILED
    }
    const client = descriptors.adoptSocket(descriptors.adopt(line.work.descriptor), 'stream')
    proxy.serve(client, compositor.value)
    stop.signal.addEventListener('abort', () => proxy.close())
    await proxy.empty()
    return 0
  }
  if (line.work.kind !== 'listen') return USED_WRONGLY
  const listener = descriptors.listen(line.work.path, 'stream', { lock: true, backlog: 64 })
  if (listener.isErr()) {
    say(listener.error.message)
    return FAILED
  }
  process.stdout.write(`listening at ${line.work.path}\n`)
  const status = await serve(service, listener.value, stop.signal)
  listener.value.close()
  proxy.close()
  return status
}

const line = parseArguments(process.argv.slice(2))
if (line.isErr()) {
  say(`${line.error}\n${USAGE}`)
  process.exit(USED_WRONGLY)
}
// Connections and signal handlers hold the program; its work is what counts.
void work(line.value).then((status) => process.exit(status))
