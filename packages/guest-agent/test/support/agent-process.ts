import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connectAgent } from '@spectrum/guest-agent'
import type { ConformanceSubject } from '@spectrum/guest-agent/conformance'
import { clock } from './clock.js'
import { socketChannel } from './socket-channel.js'

export interface AgentProcess extends AsyncDisposable {
  /** The host's end of the control channel. */
  readonly socket: Duplex
  /** Exit status and everything the agent said. A sanitizer's or valgrind's complaint is in there. */
  readonly end: Promise<{ readonly code: number | null; readonly said: string }>
  readonly pid: number
  /** Where it listens for calls. */
  readonly services: string
}

/** The agent's test build as an ordinary process. `wrapper` runs it under something, valgrind for example. */
export function startAgentProcess(binary: string, wrapper: readonly string[] = []): AgentProcess {
  const services = mkdtempSync(join(tmpdir(), 'services-'))
  const [file = binary, ...argv] = [...wrapper, binary, '--serve-fd', '3', services]
  const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: {} })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)))
  const end = once(child, 'close').then(([code]) => {
    rmSync(services, { recursive: true, force: true })
    return { code: code as number | null, said }
  })
  const socket = child.stdio[3] as Duplex
  return {
    socket,
    end,
    services,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      socket.destroy()
      await end
    },
  }
}

/** A conformance subject on an agent process; disposing it checks that the agent ended in order. */
export async function agentProcessSubject(
  binary: string,
  probe: string,
  wrapper: readonly string[] = [],
): Promise<ConformanceSubject> {
  const process = startAgentProcess(binary, wrapper)
  const agent = (await connectAgent(socketChannel(process.socket), { clock }))._unsafeUnwrap()
  return {
    agent,
    probe: [probe],
    services: process.services,
    sockets: process.services,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]()
      const { code, said } = await process.end
      if (code !== 0 || /ERROR|runtime error/.test(said))
        throw new Error(`the agent ended with ${code}: ${said}`)
    },
  }
}
