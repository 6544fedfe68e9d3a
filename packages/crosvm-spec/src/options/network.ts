import type { Cursor } from '../grammar/cursor.js'
import { ipv4, type MacAddress, macAddress, type PciAddress, pciAddress } from '../grammar/network.js'
import { optional, record, required } from '../grammar/record.js'
import { refuse } from '../grammar/refusal.js'
import { flag, integer, list, u16 } from '../grammar/scalar.js'
import type { Shape } from '../grammar/shape.js'
import { path, text } from '../grammar/text.js'

/** The tap device behind a network card. */
export type NetBackend =
  /**
   * An existing tap, by its name of at most 15 bytes: persistent and owned by the user, it needs no privilege.
   */
  | {
      readonly kind: 'tap-name'
      /** At most 15 bytes. */
      readonly tapName: string
      /** Of the guest's card. */
      readonly mac?: MacAddress | undefined
    }
  /** An inherited descriptor of a tap, by its number in crosvm's process. */
  | {
      readonly kind: 'tap-fd'
      /** Number of the descriptor in crosvm's process. */
      readonly tapFd: number
      /** Of the guest's card. */
      readonly mac?: MacAddress | undefined
    }
  /**
   * A tap that crosvm creates: needs CAP_NET_ADMIN. `hostIp` is the host's own address on it, `netmask` likewise as
   * four octets.
   */
  | {
      readonly kind: 'host-ip'
      /** Four octets: `192.168.10.1`. */
      readonly hostIp: string
      /** Four octets: `255.255.255.0`. */
      readonly netmask: string
      /** Of the guest's card. */
      readonly mac: MacAddress
    }

/** A virtio-net card: `--net`. */
export interface NetDevice {
  /** The tap that it moves packets to and from. */
  readonly backend: NetBackend
  /**
   * Pairs of receive and transmit queues, from 1: `vq-pairs`. Never more than vCPUs, which crosvm would quietly
   * make one. Default 1.
   */
  readonly vqPairs?: number | undefined
  /**
   * The host's kernel moves the packets. `{}` uses /dev/vhost-net. Such a machine cannot be suspended or
   * snapshot.
   */
  readonly vhostNet?: { readonly device?: string | undefined } | undefined
  /** Packed virtqueues (VIRTIO_F_RING_PACKED) instead of split ones. Default false. */
  readonly packedQueue?: boolean | undefined
  /** Default: the next that is free. */
  readonly pciAddress?: PciAddress | undefined
  /** VIRTIO_NET_F_MRG_RXBUF: a packet may take several buffers. Not with `packedQueue`. Default false. */
  readonly mrgRxbuf?: boolean | undefined
}

/** IFNAMSIZ less the terminating zero; dev_valid_name() of the kernel. */
const interfaceName = text(
  {
    name: 'tapName',
    maxBytes: 15,
    pattern: { test: /^(?!\.{1,2}$)[^\s/:%]+$/, says: 'an interface name' },
    onlyHere: true,
  },
  'guessed',
)

interface FlatNet extends Omit<NetDevice, 'backend'> {
  readonly tapName?: string | undefined
  readonly tapFd?: number | undefined
  readonly hostIp?: string | undefined
  readonly netmask?: string | undefined
  readonly mac?: MacAddress | undefined
}

const flat: Shape<FlatNet> = record<FlatNet>(
  {
    tapName: optional('tap-name', interfaceName),
    tapFd: optional('tap-fd', integer(0, 0x7fff_ffff)),
    hostIp: optional('host-ip', ipv4),
    netmask: optional('netmask', ipv4),
    mac: optional('mac', macAddress),
    vqPairs: optional('vq-pairs', integer(1, 0xffff)),
    vhostNet: optional(
      'vhost-net',
      record<{ readonly device?: string | undefined }>({ device: optional('device', path('device')) }),
    ),
    packedQueue: optional('packed-queue', flag),
    pciAddress: optional('pci-address', pciAddress),
    mrgRxbuf: optional('mrg-rxbuf', flag),
  },
  {
    // The record is flattened in crosvm, which is why the first key cannot be left out.
    implicitFirst: false,
    check: (value) =>
      value.mrgRxbuf && value.packedQueue
        ? 'mrgRxbuf and packedQueue exclude each other: drop one'
        : undefined,
  },
)

const KINDS: Readonly<Record<NetBackend['kind'], readonly string[]>> = {
  'tap-name': ['tapName', 'mac'],
  'tap-fd': ['tapFd', 'mac'],
  'host-ip': ['hostIp', 'netmask', 'mac'],
}

function flatten(value: NetDevice): FlatNet {
  const { backend, ...rest } = value
  const allowed =
    KINDS[backend?.kind] ?? refuse(`backend.kind must be one of ${Object.keys(KINDS).join(', ')}`)
  const { kind, ...held } = backend
  for (const property of Object.keys(held)) {
    if (!allowed.includes(property)) refuse(`a ${kind} backend has no '${property}'`)
  }
  const missing = allowed.find((name) => (name !== 'mac' || kind === 'host-ip') && !(name in held))
  if (missing !== undefined) refuse(`a ${kind} backend needs '${missing}'`)
  return { ...held, ...rest }
}

function unflatten({ tapName, tapFd, hostIp, netmask, mac, ...rest }: FlatNet, cursor: Cursor): NetDevice {
  const optionalMac = mac === undefined ? {} : { mac }
  if (hostIp !== undefined && netmask !== undefined && mac !== undefined) {
    if (tapName === undefined && tapFd === undefined) {
      return { backend: { kind: 'host-ip', hostIp, netmask, mac }, ...rest }
    }
  } else if (hostIp === undefined && netmask === undefined) {
    if (tapName !== undefined && tapFd === undefined) {
      return { backend: { kind: 'tap-name', tapName, ...optionalMac }, ...rest }
    }
    if (tapFd !== undefined && tapName === undefined) {
      return { backend: { kind: 'tap-fd', tapFd, ...optionalMac }, ...rest }
    }
  }
  return cursor.fail('give tap-name, or tap-fd, or all of host-ip, netmask and mac')
}

export const netDevice: Shape<NetDevice> = {
  print: (value) => flat.printTop!(flatten(value)),
  read: (cursor) => unflatten(flat.readTop!(cursor), cursor),
}

/** A vhost-vsock device: `--vsock`. One per machine; needs the host's vhost_vsock module. */
export interface VsockDevice {
  /** The guest's context id, unique on the host, from 3 to 2 ** 32 - 2: vsock(7). 0, 1 and 2 are taken. */
  readonly cid: number
  /** An absolute path. Default /dev/vhost-vsock. */
  readonly device?: string | undefined
  /** The most descriptors of receive, transmit and event queue: three numbers of 16 bits. */
  readonly maxQueueSizes?: readonly number[] | undefined
}

export const vsockDevice: Shape<VsockDevice> = record<VsockDevice>({
  cid: required('cid', integer(3, 0xffff_fffe, 64)),
  device: optional('device', path('device')),
  maxQueueSizes: optional('max-queue-sizes', list(u16, { least: 3, most: 3 })),
})
