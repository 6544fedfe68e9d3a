import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { kvmConformance } from '../src/conformance.js'
import { fakeKvm } from '../src/fake.js'
import { openKvm } from '../src/linux.js'

kvmConformance('the fake', fakeKvm, { describe, it, expect })

if (
  existsSync('/dev/kvm') &&
  openKvm()
    .map((kvm) => kvm.close())
    .isOk()
) {
  kvmConformance("this machine's KVM", () => openKvm()._unsafeUnwrap(), { describe, it, expect })
} else {
  it.skip("this machine's KVM (skipped: there is none, or it cannot be opened)", () => undefined)
}
