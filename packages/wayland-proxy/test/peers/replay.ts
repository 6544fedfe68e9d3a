import { ftruncateSync } from 'node:fs'
import type { Fd } from '@spectrum/unix-fd'
import { type CapturedMessage, type Ending, parseCapture } from '../../src/index.js'
import { decodeArguments } from '../../src/wire/decode.js'
import { descriptors, Peer } from './peer.js'
import { Unit } from './unit.js'

const TURNS = 10_000

export interface Replayed {
  /** What the proxy captured this time. */
  readonly lines: readonly string[]
  readonly endings: readonly Ending[]
  readonly faults: readonly string[]
  /** The requests that reached the compositor, by name. */
  readonly upstream: readonly string[]
}

/** The two ends of one client's pair, which say what they said then. */
class Pair {
  readonly client: Peer
  readonly compositor: Peer
  /** Ids that the client uses again, as it did then, before it is told this time that they are free. */
  readonly #early: number[] = []
  /** The file of each pool, which grew then before the pool did. */
  readonly #files = new Map<number, Fd>()

  constructor(unit: Unit) {
    const [near, far] = descriptors.socketpair('stream')._unsafeUnwrap()
    const [up, host] = descriptors.socketpair('stream')._unsafeUnwrap()
    this.client = new Peer(near, 'requests')
    this.compositor = new Peer(host, 'events')
    this.client.onMessage = ({ name, args }) => {
      if (name !== 'wl_display.delete_id') return
      const early = this.#early.indexOf(args[0] as number)
      if (early >= 0) this.#early.splice(early, 1)
      else this.client.objects.delete(args[0] as number)
    }
    // Of its own objects nobody tells that they are gone.
    this.compositor.onMessage = ({ id, name }, { type }) => {
      const request = type.requests.find((one) => `${type.name}.${one.name}` === name)
      if (request?.destructor && id >= 0xff000000) this.compositor.objects.delete(id)
    }
    unit.proxy.serve(far, up)
  }

  say({ from, bytes }: CapturedMessage, fds: readonly Fd[]): void {
    const peer = from === 'client' ? this.client : this.compositor
    const message = Uint8Array.from(bytes.match(/../g)!, (pair) => Number.parseInt(pair, 16))
    this.#learn(peer, message, fds)
    peer.raw(message, fds)
  }

  #learn(peer: Peer, bytes: Uint8Array, fds: readonly Fd[]): void {
    const [id, second] = new Uint32Array(bytes.buffer, 0, 2)
    const known = peer.objects.get(id!)
    const message = known?.type[peer.sends][second! & 0xffff]
    if (known === undefined || message === undefined) return
    const decoded = decodeArguments(message.signature, { objectId: id!, opcode: message.opcode, bytes }, fds)
    for (const [index, value] of decoded._unsafeUnwrap().arguments.entries()) {
      const made = value.kind === 'new-id' || value.kind === 'untyped-new-id'
      if (made && peer === this.client && peer.objects.has(value.id)) this.#early.push(value.id)
      if (value.kind === 'new-id') peer.know(value.id, message.targets[index]!.name, known.version)
      if (value.kind === 'new-id' && message.fullName === 'wl_shm.create_pool') {
        this.#files.get(value.id)?.close()
        this.#files.set(value.id, fds[0]!.duplicate()._unsafeUnwrap())
      }
      if (value.kind === 'int' && message.fullName === 'wl_shm_pool.resize') {
        ftruncateSync(this.#files.get(id!)!.number, value.value)
      }
      if (value.kind === 'untyped-new-id') {
        peer.know(value.id, new TextDecoder().decode(value.interface), value.version)
      }
      if (message.fullName === 'wl_display.delete_id' && value.kind === 'uint')
        peer.objects.delete(value.value)
    }
  }

  close(): void {
    for (const file of this.#files.values()) file.close()
    this.client.close()
    this.compositor.close()
  }
}

function descriptorOf(kind: string): Fd {
  if (kind.startsWith('file ')) {
    return descriptors.createMemfd('replay', { size: Number(kind.slice(5)) })._unsafeUnwrap().fd
  }
  const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
  reader.close()
  return writer
}

/** Lets all that was captured reach a proxy once more, in the same order, and tells what became of it. */
export async function replay(text: string): Promise<Replayed> {
  const { policy, messages } = parseCapture(text)._unsafeUnwrap()
  const lines: string[] = []
  const pairs = new Map<number, Pair>()
  const unit = new Unit(policy, { capture: (line) => lines.push(line) })
  for (const [index, message] of messages.entries()) {
    const pair = pairs.get(message.session) ?? new Pair(unit)
    pairs.set(message.session, pair)
    const fds = (message.descriptors ?? []).map(descriptorOf)
    pair.say(message, fds)
    for (let turn = 0; turn < TURNS && lines.length < index + 2 && unit.endings.length === 0; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const fd of fds) fd.close()
    if (lines.length < index + 2) break
  }
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  const all = [...pairs.values()]
  const result: Replayed = {
    lines,
    endings: [...unit.endings],
    faults: all.flatMap(({ client, compositor }) => [...client.faults, ...compositor.faults]),
    upstream: all.flatMap(({ compositor }) => compositor.names()),
  }
  unit.proxy.close()
  for (const pair of all) pair.close()
  await unit[Symbol.asyncDispose]()
  return result
}
