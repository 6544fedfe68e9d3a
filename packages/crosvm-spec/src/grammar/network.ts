import { canonicalText } from './text.js'

/** `02:11:22:33:44:55`, lower case, each octet with two digits. */
export type MacAddress = string
/** `00:1f.3`: bus, device and function in lower-case hexadecimal; crosvm has one PCI domain. */
export type PciAddress = string

export function canonicalMac(text: string): string | undefined {
  const octets = text.split(':')
  if (octets.length !== 6 || !octets.every((octet) => /^0*[0-9A-Fa-f]{1,2}$/.test(octet))) return undefined
  return octets.map((octet) => octet.slice(-2).padStart(2, '0').toLowerCase()).join(':')
}

export function canonicalPci(text: string): string | undefined {
  const parts = /^(?:0+:)?0*([0-9A-Fa-f]{1,2}):0*([0-9A-Fa-f]{1,2})\.0*([0-7])$/.exec(text)
  if (!parts) return undefined
  const [, bus, device, fn] = parts as unknown as [string, string, string, string]
  if (Number.parseInt(device, 16) > 0x1f) return undefined
  return `${bus.padStart(2, '0')}:${device.padStart(2, '0')}.${fn}`.toLowerCase()
}

function canonicalIpv4(text: string): string | undefined {
  const octets = text.split('.')
  const valid = octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) <= 255)
  return octets.length === 4 && valid ? text : undefined
}

function canonicalUuid(text: string): string | undefined {
  const digits = text.replace(/^urn:uuid:/, '').replace(/^\{(.*)\}$/, '$1')
  if (!/^[0-9A-Fa-f]{8}(-?)([0-9A-Fa-f]{4}\1){3}[0-9A-Fa-f]{12}$/.test(digits)) return undefined
  const plain = digits.replaceAll('-', '').toLowerCase()
  return plain.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export const macAddress = canonicalText(
  'mac',
  canonicalMac,
  'six octets such as 02:11:22:33:44:55',
  'guessed',
)
export const pciAddress = canonicalText(
  'a PCI address',
  canonicalPci,
  'a bus, device and function such as 00:1f.3',
)
export const ipv4 = canonicalText('an IPv4 address', canonicalIpv4, 'four octets such as 10.0.2.1', 'guessed')
export const uuid = canonicalText(
  'uuid',
  canonicalUuid,
  '32 digits such as 0a1b2c3d-0000-4000-8000-0123456789ab',
)
