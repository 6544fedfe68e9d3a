import type { CrosvmMachine } from '../machine.js'
import { type Complaint, complain, type Rule } from './rule.js'

const CMDLINE_LIMIT = { x86_64: 2047, aarch64: 2047, riscv64: 1023 } as const

/**
 * What crosvm itself puts on the kernel's command line, before and between the given parameters: `panic=-1`,
 * consoles, `root=` and ramoops, the last with placeholders as long as what crosvm writes.
 */
export function addedParams(machine: CrosvmMachine): readonly string[] {
  const added = ['panic=-1']
  const { serial = [], block = [], scsi = [], pmem = [], pstore, architecture } = machine
  for (const { hardware = 'serial', num = 1, console, earlycon } of serial) {
    if (console) added.push(hardware === 'serial' ? `console=ttyS${num - 1}` : `console=hvc${num - 1}`)
    if (earlycon)
      added.push(architecture === 'x86_64' ? 'earlycon=uart8250,io,0x3f8' : 'earlycon=uart8250,mmio,0x3f8')
  }
  if (!serial.some((port) => port.console)) added.push('console=ttyS0')
  const roots = [
    ...block.map((device, index) => [device, `/dev/vd${diskLetters(index)}`] as const),
    ...scsi.map((device, index) => [device, `/dev/sd${diskLetters(index)}`] as const),
    ...pmem.map((device, index) => [device, `/dev/pmem${index}`] as const),
  ]
  for (const [device, name] of roots)
    if (device.root) added.push(`root=${name} ${device.readOnly ? 'ro' : 'rw'}`)
  // Sixteen digits for the address, ten for each size.
  if (pstore !== undefined)
    added.push(`ramoops.mem_address=0x${'0'.repeat(16)} ramoops.mem_size=0x${'0'.repeat(8)}`)
  return added
}

/** a … z, aa, ab … */
export function diskLetters(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26))
  return index < 26 ? letter : diskLetters(Math.floor(index / 26) - 1) + letter
}

export const commandLineFits: Rule = (machine) => {
  const params = machine.params ?? []
  const wrong: Complaint[] = []
  if (params.some((param) => !/^[ -~]*$/.test(param))) {
    wrong.push(complain('params', "the kernel's command line holds printable ASCII only"))
  }
  const length = [...addedParams(machine), ...params].join(' ').length
  const limit = CMDLINE_LIMIT[machine.architecture]
  if (length > limit) {
    wrong.push(
      complain('params', `makes ${length} bytes with what crosvm adds; ${machine.architecture} has ${limit}`),
    )
  }
  return wrong
}
