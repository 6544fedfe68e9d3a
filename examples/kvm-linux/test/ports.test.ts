import { expect, test } from 'vitest'
import { Ports } from '../src/ports.js'

function device() {
  const written: [number, number][] = []
  return {
    written,
    read: (register: number) => 0x10 + register,
    write: (r: number, v: number) => written.push([r, v]),
  }
}

test('a device hears of its own registers, counted from its first port', () => {
  const ports = new Ports()
  const found = device()
  ports.add({ port: 0x70, count: 2 }, found)
  ports.write(0x71, 1, Uint8Array.of(5, 6))
  expect(found.written).toEqual([
    [1, 5],
    [1, 6],
  ])
  expect([...ports.read(0x71, 1, 3)]).toEqual([0x11, 0x11, 0x11])
})

test('where no device is, reads find all ones and writes are lost', () => {
  const ports = new Ports()
  ports.add({ port: 0x70, count: 2 }, device())
  expect([...ports.read(0xcf8, 4, 1)]).toEqual([255, 255, 255, 255])
  expect([...ports.read(0x70, 2, 1)]).toEqual([255, 255])
  ports.write(0x80, 1, Uint8Array.of(1))
})

test('two devices at one port are a mistake', () => {
  const ports = new Ports()
  ports.add({ port: 0x70, count: 2 }, device())
  expect(() => ports.add({ port: 0x71, count: 1 }, device())).toThrow(/taken/)
})
