import { Buffer } from 'node:buffer'
import type { Fd, UnixFd, UnixSocket } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { ByteString, Clock } from '../powers.js'
import type { FillRandom } from './fuse/inode-numbers.js'
import { type FuseCounters, FuseServer } from './fuse/server.js'
import { type GrantProblem, Grants } from './grants.js'
import { completeLimits, type ViewLimits } from './limits.js'
import { type ConnectionEnd, serveConnection } from './vhost/connection.js'
import { Device } from './vhost/device.js'
import type { RingCounters } from './vhost/vring.js'

/** What serving a view in this very process takes. */
export interface ServeViewOptions {
  /** Sockets, and files below the grants. */
  readonly descriptors: UnixFd
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Fills a buffer from the system's source of randomness. */
  readonly fillRandom: FillRandom
  /** What the guest mounts: 1 to 36 bytes. Default `view`. */
  readonly tag?: string
  /** Where they differ from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<ViewLimits>
  /** For a front end to go on with a message it began. Default 10 s. */
  readonly messageDeadlineMs?: number
}

/** What was counted since the view was made, and what there is right now. */
export interface ViewCounters extends FuseCounters, RingCounters {
  /** Front ends served so far; and of those, how many were cut off because they broke the protocol. */
  readonly frontEnds: number
  /** Front ends that broke the rules of vhost-user. */
  readonly protocolErrors: number
  /** Paths that are granted now. */
  readonly grants: number
  /** Files, directories and links that the guest knows. */
  readonly nodes: number
  /** Descriptors open below the grants. */
  readonly openFiles: number
  /** Regions of guest memory that are mapped. */
  readonly memoryRegions: number
}

/** A read-only share of exactly what is granted, for one guest. In this process: `openView` starts one of its own. */
export interface ViewServer extends Disposable {
  /** What the guest mounts. */
  readonly tag: string
  /** Whether a front end is being served. */
  readonly busy: boolean
  /** Shows a file under a name at the top of the share. On success it owns `fd`. */
  grant(name: ByteString, fd: Fd): Result<void, GrantProblem>
  /** Takes it away: from now on the guest reaches nothing below it that it has not in its own memory already. */
  revoke(name: ByteString): Result<void, GrantProblem>
  /**
   * Serves a front end until it leaves, breaks the protocol, or this is closed. Owns the socket. One at a time:
   * throws while another one is served.
   */
  serve(socket: UnixSocket): Promise<ConnectionEnd>
  /** What the guest has open and knows, as numbers. */
  counters(): ViewCounters
  /** Ends all of it; idempotent. */
  close(): void
}

const TAG_BYTES = 36
const MESSAGE_DEADLINE_MS = 10_000
/** The one for FORGET and INTERRUPT, and as many for requests as any driver asks for. */
const REQUEST_QUEUES = 1
const QUEUES = 1 + REQUEST_QUEUES

/** Makes a view that nobody is connected to and that shows nothing yet. */
export function serveView(options: ServeViewOptions): ViewServer {
  return new Server(options)
}

class Server implements ViewServer {
  readonly tag: string
  readonly #options: ServeViewOptions
  readonly #limits: ViewLimits
  readonly #grants: Grants
  readonly #fuse: FuseServer
  readonly #config: Uint8Array
  readonly #closing = new AbortController()
  readonly #fuseCounters: FuseCounters = { errors: 0, bytesRead: 0 }
  readonly #ringCounters: RingCounters = {
    requests: 0,
    kicks: 0,
    calls: 0,
    malformedChains: 0,
    brokenRings: 0,
  }
  #frontEnds = 0
  #protocolErrors = 0
  #device: Device | undefined

  constructor(options: ServeViewOptions) {
    const { descriptors, fillRandom, tag = 'view' } = options
    this.tag = tag
    this.#options = options
    this.#limits = completeLimits(options.limits)
    this.#config = configurationSpace(tag)
    this.#grants = new Grants(descriptors, this.#limits.maxGrants)
    this.#fuse = new FuseServer(descriptors, this.#grants, fillRandom, this.#limits, this.#fuseCounters)
  }

  get busy(): boolean {
    return this.#device !== undefined
  }

  grant(name: ByteString, fd: Fd): Result<void, GrantProblem> {
    if (this.#closing.signal.aborted) throw new Error('this view is closed')
    return this.#grants.add(name, fd)
  }

  revoke(name: ByteString): Result<void, GrantProblem> {
    const removed = this.#grants.remove(name)
    if (removed.isErr()) return err(removed.error)
    this.#fuse.revoke(removed.value)
    removed.value.fd.close()
    return ok()
  }

  async serve(socket: UnixSocket): Promise<ConnectionEnd> {
    if (this.busy) throw new Error('another front end is being served: wait for its end')
    const { descriptors, clock, messageDeadlineMs = MESSAGE_DEADLINE_MS } = this.#options
    const device = new Device({
      descriptors,
      limits: this.#limits,
      config: this.#config,
      queueCount: QUEUES,
      counters: this.#ringCounters,
      serve: ({ chain }, memory) => this.#fuse.serve(memory, chain.readable, chain.writable),
    })
    this.#device = device
    this.#frontEnds += 1
    try {
      const end = await serveConnection(socket, device, {
        clock,
        messageDeadlineMs,
        signal: this.#closing.signal,
      })
      if (end.kind === 'protocol-error') this.#protocolErrors += 1
      return end
    } finally {
      device[Symbol.dispose]()
      this.#device = undefined
      this.#fuse.reset()
      socket.close()
    }
  }

  counters(): ViewCounters {
    return {
      ...this.#fuseCounters,
      ...this.#ringCounters,
      frontEnds: this.#frontEnds,
      protocolErrors: this.#protocolErrors,
      grants: this.#grants.count,
      nodes: this.#fuse.nodeCount,
      openFiles: this.#fuse.openCount,
      memoryRegions: this.#device?.memoryRegions ?? 0,
    }
  }

  close(): void {
    this.#closing.abort()
    this.#device?.[Symbol.dispose]()
    this.#fuse[Symbol.dispose]()
    this.#grants[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** virtio 1.2, 5.11.4: the tag, padded with zeros, and the number of request queues. */
function configurationSpace(tag: string): Uint8Array {
  const bytes = Buffer.alloc(TAG_BYTES + 4)
  const text = Buffer.from(tag, 'utf8')
  if (text.length < 1 || text.length > TAG_BYTES || text.includes(0)) {
    throw new RangeError(`a tag has 1 to ${TAG_BYTES} bytes and no NUL`)
  }
  text.copy(bytes)
  bytes.writeUInt32LE(REQUEST_QUEUES, TAG_BYTES)
  return bytes
}
