import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { hello } from './hello.js'

using kvm = openKvm()._unsafeUnwrap() // a Result: match on it in earnest code
console.log(hello(kvm, 'Hello from a virtual machine!')._unsafeUnwrap())
