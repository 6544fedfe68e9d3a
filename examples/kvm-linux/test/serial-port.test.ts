import { expect, test } from 'vitest'
import { SerialPort } from '../src/serial-port.js'

function port() {
  const sent: number[] = []
  const line: boolean[] = []
  return {
    sent,
    line,
    serial: new SerialPort(
      (byte) => sent.push(byte),
      (high) => line.push(high),
    ),
  }
}

test('what is written is sent at once, and the port is ready for more', () => {
  const { sent, serial, line } = port()
  for (const byte of Buffer.from('hi')) serial.write(0, byte)
  expect(Buffer.from(sent).toString()).toBe('hi')
  expect(serial.read(5)).toBe(0x60)
  expect(line).toEqual([])
})

test('while the divisor is open, nothing that is written is sent', () => {
  const { sent, serial } = port()
  serial.write(3, 0x80)
  serial.write(0, 0x0c)
  serial.write(1, 0x01)
  expect([serial.read(0), serial.read(1)]).toEqual([0x0c, 0x01])
  serial.write(3, 0x03)
  expect([sent, serial.read(1)]).toEqual([[], 0])
})

test('asking to be told of an empty register raises the line, reading the cause lowers it', () => {
  const { line, serial } = port()
  serial.write(1, 0x02)
  expect(serial.read(2)).toBe(0x02)
  expect(serial.read(2)).toBe(0x01)
  expect(line).toEqual([true, false])
})

test('each byte gives the edge-triggered line a new edge', () => {
  const { line, serial } = port()
  serial.write(1, 0x02)
  serial.write(0, 0x41)
  expect(line).toEqual([true, false, true])
  serial.write(1, 0)
  expect(line).toEqual([true, false, true, false])
})

test('is told from an empty socket by its loop, and a 16550A by its FIFO', () => {
  const { sent, serial } = port()
  serial.write(4, 0x1a)
  expect(serial.read(6) & 0xf0).toBe(0x90)
  serial.write(0, 0x41)
  expect(sent).toEqual([])
  serial.write(2, 0x01)
  expect(serial.read(2) >> 6).toBe(3)
  serial.write(7, 0x5a)
  expect(serial.read(7)).toBe(0x5a)
})

test('a register that no serial port has is a mistake', () => {
  expect(() => port().serial.read(8)).toThrow(RangeError)
  expect(() => port().serial.write(8, 0)).toThrow(RangeError)
})
