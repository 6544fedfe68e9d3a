import { existsSync } from 'node:fs'
import { fakeKvm } from '@spectrum/kvm-ioctl/fake'
import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { expect, test } from 'vitest'
import { hello } from '../src/hello.js'

test('a guest on the fake prints what it was given', () => {
  expect(hello(fakeKvm(), 'Hello!')._unsafeUnwrap()).toBe('Hello!')
})

test("a guest on this machine's KVM prints what it was given", (context) => {
  if (!existsSync('/dev/kvm')) context.skip('there is no /dev/kvm')
  const opened = openKvm()
  if (opened.isErr()) return context.skip(opened.error.message)
  using kvm = opened.value
  expect(hello(kvm, 'Hello from a virtual machine!')._unsafeUnwrap()).toBe('Hello from a virtual machine!')
  expect(hello(kvm, '')._unsafeUnwrap()).toBe('')
})
