import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { Agent, AgentHello, AgentOptions, ByteChannel, Clock, ConnectAgent } from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { AgentError } from './errors.js'
import { printable } from './escape.js'
import { type Frame, protocolVersion, type UnitFrame } from './frames.js'
import { Link } from './link.js'
import { lost } from './lost.js'
import { patience, unlessAborted } from './patience.js'
import { AgentSession } from './session.js'

/** A unit under software emulation on a busy machine boots in seconds, not in milliseconds. */
const helloMs = 60_000

/**
 * Waits for the unit's hello and settles the version. On failure the channel is closed, which powers the unit
 * off: nobody could ever command it.
 *
 * Fails with `timed-out`, `aborted`, `version-mismatch`, or `unit-lost` when the channel ended first or the
 * unit's first bytes were no hello.
 *
 * @example
 * ```ts
 * import { type ByteChannel, type Clock, connectAgent } from '@spectrum/guest-agent'
 *
 * // `channel` is the `control` of a machine of `@spectrum/unit-monitor`; `image` and `devices` are what it was given.
 * export async function hello(channel: ByteChannel, clock: Clock, image: string, devices: string[]) {
 *   await using agent = (await connectAgent(channel, { clock }))._unsafeUnwrap()
 *   ;(await agent.mountStore({ image, devices, paths: ['…-hello-2.12'] }))._unsafeUnwrap()
 *   const started = await agent.exec({ argv: ['/nix/store/…-hello-2.12/bin/hello'] }, { deadlineMs: 10_000 })
 *   return await started._unsafeUnwrap().outcome // { kind: 'exited', code: 0 }
 * }
 * ```
 */
export const connectAgent: ConnectAgent = (channel, { clock }, options = {}) =>
  new ResultAsync(connect(channel, clock, options))

async function connect(
  channel: ByteChannel,
  clock: Clock,
  options: AgentOptions,
): Promise<Result<Agent, AgentError>> {
  const link = new Link(channel)
  let session: AgentSession | undefined
  let resolveHello!: (frame: Frame<'hello'>) => void
  const hello = new Promise<Frame<'hello'>>((resolve) => {
    resolveHello = resolve
  })
  const receive = (frame: UnitFrame): void => {
    if (session !== undefined) {
      session.receive(frame)
    } else if (frame.type === 'hello') {
      // The session begins here and now, so that a second hello in the same chunk meets it.
      const version = Math.min(protocolVersion.max, frame.maxVersion)
      session = new AgentSession(link, clock, readHello(frame, version))
      resolveHello(frame)
    } else {
      throw new ProtocolViolation(`${frame.type} before hello`)
    }
  }

  using wait = patience(clock, { signal: options.signal, deadlineMs: options.deadlineMs ?? helloMs })
  void link.receive(receive)
  const first = await unlessAborted(Promise.race([hello, link.closed]), wait.signal)
  if (first === 'aborted') {
    link.close({ kind: 'closed-by-host' })
    return err(wait.error('waiting for the unit to boot'))
  }
  if (!('type' in first)) return err(lost(first))
  if (first.minVersion > protocolVersion.max || first.maxVersion < protocolVersion.min) {
    link.close({ kind: 'closed-by-host' })
    return err({
      kind: 'version-mismatch',
      offered: first.maxVersion,
      message: `the unit's agent speaks protocol versions ${first.minVersion} to ${first.maxVersion}, this host ${protocolVersion.min} to ${protocolVersion.max}: build the initramfs with the agent of this package`,
    })
  }
  link.send({ type: 'welcome', version: session!.hello.version })
  return ok(session!)
}

function readHello(frame: Frame<'hello'>, version: number): AgentHello {
  if (frame.minVersion > frame.maxVersion) throw new ProtocolViolation('hello: an empty range of versions')
  if (!/^[0-9a-f-]{36}$/.test(frame.bootId)) throw new ProtocolViolation('hello: not a boot id')
  return {
    version,
    bootId: frame.bootId,
    kernelRelease: printable(frame.release, 64),
    machine: printable(frame.machine, 64),
  }
}
