import type { FakeGuest } from './fake.js'

/** What the volumes of fake machines begin with, by the paths of their files. */
export type FakeDisks = Map<string, string>

/**
 * The guest that the conformance suite talks to, for the fake monitor. A real monitor boots a real one that
 * says the same: `ready\n` first, then it obeys lines.
 *
 * `echo N\n` and N bytes: the same N bytes back. `pmem\n`: `pmem SIZE SIZE …\n`, ascending; `block\n` the same for
 * disks. `write SERIAL TEXT\n`: `written\n` once the text is at the beginning of that volume, or `refused\n`. `view TAG\n`: `view NAME NAME …\n`, what its view shows, sorted. `say N\n`: N lines on the console, then
 * `said\n`. `spoil\n`: hostile bytes on the console, then `said\n`. `poke\n`: tries to overwrite its devices, then
 * `poked\n`. `off\n`, `crash\n`, `hang\n`.
 */
export async function echoGuest(guest: FakeGuest, disks: FakeDisks = new Map()): Promise<void> {
  const text = (line: string) => guest.control.write(new TextEncoder().encode(line))
  const input = bytesOf(guest.control.incoming)
  await text('ready\n')
  for (;;) {
    const line = await input.line()
    if (line === undefined) return
    const [command, count = '0', written = ''] = line.split(' ')
    switch (command) {
      case 'echo':
        await input.take(Number(count), (bytes) => guest.control.write(bytes))
        break
      case 'pmem':
      case 'block': {
        const volumes = command === 'block' ? (guest.machine.volumes ?? []) : []
        const sizes = [...guest[command](), ...volumes].map((device) => device.sizeBytes)
        await text(`${[command, ...sizes.sort((a, b) => a - b)].join(' ')}\n`)
        break
      }
      case 'write': {
        const volume = guest.machine.volumes?.find(({ serial }) => serial === count)
        const isWritable = volume?.readOnly === false
        if (isWritable) disks.set(volume.path, written)
        await text(isWritable ? 'written\n' : 'refused\n')
        break
      }
      case 'view':
        await text(`${['view', ...[...guest.view(count)].sort()].join(' ')}\n`)
        break
      case 'say':
        for (let index = 0; index < Number(count); index++) guest.print(`line ${index}\n`)
        await text('said\n')
        break
      case 'spoil':
        guest.print(SPOILED)
        await text('said\n')
        break
      case 'poke':
        await text('poked\n')
        break
      case 'off':
        return guest.powerOff()
      case 'crash':
        return guest.crash()
      default:
        return
    }
  }
}

/** A colour, bytes that are no UTF-8, a C1 control and a right-to-left override. */
const SPOILED = Uint8Array.of(
  ...[0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x72, 0x65, 0x64, 0x20, 0xff, 0xfe, 0x20],
  ...[0xc2, 0x9b, 0x20, 0xe2, 0x80, 0xae, 0x20, 0x65, 0x6e, 0x64, 0x0a],
)

function bytesOf(incoming: AsyncIterable<Uint8Array>) {
  const source = incoming[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array()
  const more = async (): Promise<boolean> => {
    while (held.length === 0) {
      const next = await source.next()
      if (next.done === true) return false
      held = next.value
    }
    return true
  }
  return {
    /** Up to the next newline; undefined at the end. */
    async line(): Promise<string | undefined> {
      let line = ''
      while (await more()) {
        const end = held.indexOf(0x0a)
        line += new TextDecoder().decode(held.subarray(0, end === -1 ? held.length : end))
        held = held.subarray(end === -1 ? held.length : end + 1)
        if (end !== -1) return line
      }
      return undefined
    },
    async take(count: number, use: (bytes: Uint8Array) => Promise<void>): Promise<void> {
      let left = count
      while (left > 0 && (await more())) {
        const part = held.subarray(0, left)
        held = held.subarray(part.length)
        left -= part.length
        await use(part)
      }
    },
  }
}
