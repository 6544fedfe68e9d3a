import { existsSync } from 'node:fs'
import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { expect, test } from 'vitest'
import { longMode, pageTables } from '../src/long-mode.js'

test('a guest adds in 64 bits and reads through an address of the upper half', (context) => {
  if (!existsSync('/dev/kvm')) context.skip('there is no /dev/kvm')
  const opened = openKvm()
  if (opened.isErr()) return context.skip(opened.error.message)
  using kvm = opened.value
  const a = 0xffff_ffffn
  expect(longMode(kvm, a, a, 'hello')).toEqual({ printed: 'hello', sum: 0x1_ffff_fffen })
  expect(longMode(kvm, 1n << 63n, (1n << 63n) + 5n, '')).toEqual({ printed: '', sum: 5n })
})

test('each page table is a page of its own, and every entry is present', () => {
  const entries = pageTables()
  expect(entries.every(([, entry]) => (entry & 1n) === 1n)).toBe(true)
  expect(new Set(entries.map(([at]) => at)).size).toBe(entries.length)
})
