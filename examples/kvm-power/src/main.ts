import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { converse } from './guest.js'

const kvm = openKvm('powerpc64le')
if (kvm.isErr()) {
  process.stderr.write(`${kvm.error.message}\n`)
  process.exit(1)
}
const { said, heard } = converse(kvm.value)
process.stdout.write(`the guest said "${said}" and heard ${heard}\n`)
