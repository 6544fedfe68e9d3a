/** What a test of a real machine looks at on the host, and what it gives it. */
import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs'
import type { Guest } from './obedient-guest.js'

/** The processes of a group that have not ended, in the order of their numbers. */
export function processesOf(group: number): { readonly pid: number; readonly name: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        const end = stat.lastIndexOf(')')
        const [state, , itsGroup] = stat.slice(end + 2).split(' ')
        if (Number(itsGroup) !== group || state === 'Z') return []
        return [{ pid: Number(name), name: stat.slice(stat.indexOf('(') + 1, end) }]
      } catch {
        // It ended meanwhile.
        return []
      }
    })
    .sort((a, b) => a.pid - b.pid)
}

/** What a process holds open, as far as it has a path. */
export function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return []
    }
  })
}

/** Where a capability begins in a PCI configuration space; 0 where there is none. */
export function capability(config: Buffer, id: number): number {
  let at = config.length > 0x34 ? config.readUInt8(0x34) : 0
  for (let steps = 0; at > 0 && at < config.length - 1 && steps < 48; steps += 1) {
    if (config.readUInt8(at) === id) return at
    at = config.readUInt8(at + 1)
  }
  return 0
}

export interface PciDevice {
  readonly name: string
  readonly config: Buffer
}

export async function pciDevices(guest: Guest): Promise<PciDevice[]> {
  const found: PciDevice[] = []
  for (const name of (await guest.ask('list /sys/bus/pci/devices')).split(' ').filter(Boolean)) {
    const config = await guest.ask(`read /sys/bus/pci/devices/${name}/config 0 256`)
    found.push({ name, config: Buffer.from(config, 'hex') })
  }
  return found
}

/** UHID_CREATE2 of linux/uhid.h, for a key with the first bytes of a FIDO report descriptor. */
const UHID_CREATE2 = 11
const BUS_USB = 3
const FIDO = Buffer.from(
  '06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0'.replace(/ /g, ''),
  'hex',
)

/** A security key that is none, made by the kernel's uhid. It is there until it is disposed. */
export async function securityKey(): Promise<{ readonly path: string } & Disposable> {
  for (const module of ['hid_generic', 'uhid']) execFileSync('modprobe', [module])
  const there = new Set(readdirSync('/dev'))
  const uhid = openSync('/dev/uhid', 'r+')
  const event = Buffer.alloc(4 + 128 + 64 + 64 + 2 + 2 + 4 * 4 + 4096)
  event.writeUInt32LE(UHID_CREATE2, 0)
  event.write('a key', 4)
  event.writeUInt16LE(FIDO.length, 260)
  event.writeUInt16LE(BUS_USB, 262)
  event.writeUInt32LE(0x1234, 264)
  event.writeUInt32LE(0x5678, 268)
  FIDO.copy(event, 280)
  writeSync(uhid, event)
  for (let tries = 0; tries < 200; tries += 1) {
    const name = readdirSync('/dev').find((entry) => entry.startsWith('hidraw') && !there.has(entry))
    if (name !== undefined && existsSync(`/dev/${name}`)) {
      return { path: `/dev/${name}`, [Symbol.dispose]: () => closeSync(uhid) }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  closeSync(uhid)
  throw new Error('the kernel made no hidraw device for the key')
}
