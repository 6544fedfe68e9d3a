import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { longMode } from './long-mode.js'

using kvm = openKvm()._unsafeUnwrap() // a Result: match on it in earnest code
const { printed, sum } = longMode(kvm, 0xffff_ffffn, 0xffff_ffffn, '64 bits from 0xffff800000003000')
console.log(`${printed}: 0x${sum.toString(16)}`)
