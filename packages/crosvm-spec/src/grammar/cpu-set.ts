import type { Cursor } from './cursor.js'
import { refuse, unsound } from './refusal.js'
import type { Shape } from './shape.js'

/**
 * CPU numbers from 0 to 4095 and inclusive ranges of them, in order: `[0, [2, 5]]` is 0, 2, 3, 4, 5. Not empty.
 */
export type CpuSet = readonly (number | readonly [first: number, last: number])[]

/** More than any machine has; bounds what a range can expand to. */
export const MOST_CPUS = 4096

export function cpusOf(set: CpuSet): number[] {
  return set.flatMap((item) => {
    if (typeof item === 'number') return [item]
    return Array.from({ length: item[1] - item[0] + 1 }, (_, index) => item[0] + index)
  })
}

function checkCpu(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= MOST_CPUS) {
    unsound(`a CPU is a whole number from 0 to ${MOST_CPUS - 1}, not ${String(value)}`)
  }
  return value === 0 ? 0 : value
}

function printItem(item: unknown): string {
  if (!Array.isArray(item)) return String(checkCpu(item))
  const [first, last] = item
  if (item.length !== 2 || checkCpu(first) > checkCpu(last)) refuse('a range of CPUs goes from low to high')
  return `${first}-${last}`
}

function readItem(text: string): number | readonly [number, number] {
  const ends = /^\+?(0*[0-9]{1,19})(?:-\+?(0*[0-9]{1,19}))?$/.exec(text)
  if (!ends) refuse(`'${text}' is neither a CPU such as 3 nor a range such as 0-3`)
  const first = checkCpu(Number(ends[1]))
  if (ends[2] === undefined) return first
  const last = checkCpu(Number(ends[2]))
  return first > last ? refuse('a range of CPUs goes from low to high') : [first, last]
}

function checkSet(set: unknown): CpuSet {
  if (!Array.isArray(set) || set.length === 0) refuse('expected a list with at least one CPU or range')
  if (set.length > MOST_CPUS) refuse(`more than ${MOST_CPUS} CPUs`)
  return set
}

/** `0,2-5`, where nothing else separates. */
export function printCpus(set: CpuSet): string {
  return checkSet(set).map(printItem).join(',')
}

export function readCpus(text: string): CpuSet {
  return checkSet(text.split(',').map(readItem))
}

/** A set of processors, as crosvm writes it: `0,2-3`. */
export const cpus: Shape<CpuSet> = {
  print: printCpus,
  read: (cursor) => readCpus(takeAll(cursor)),
}

/** `[0,2-5]` inside a record. Ranges are borrowed from the argument: never in double quotes. */
export const bracketedCpus: Shape<CpuSet> = {
  print: (set) => `[${printCpus(set)}]`,
  read: (cursor) => {
    cursor.expect('[')
    const items: (number | readonly [number, number])[] = []
    while (cursor.peek() !== ']') {
      if (items.length === MOST_CPUS) cursor.fail(`more than ${MOST_CPUS} CPUs`)
      items.push(readBracketed(cursor))
      cursor.endItem()
    }
    cursor.expect(']')
    return checkSet(items)
  },
}

function readBracketed(cursor: Cursor): number | readonly [number, number] {
  const { text, quotes } = cursor.string()
  if (quotes === 'double') cursor.fail('CPU ranges cannot be in double quotes, as before this')
  return readItem(text)
}

/** A value for each vCPU that is named, by its number from 0: `{ 0: 1024, 1: 512 }`. Not empty. */
export type PerCpu<T> = Readonly<Record<number, T>>

export interface PerCpuRule<T> {
  readonly between: ',' | ':' | ';'
  print(value: T): string
  read(text: string): T
}

export function perCpu<T>({ between, print, read }: PerCpuRule<T>): Shape<PerCpu<T>> {
  return {
    print: (values) => {
      if (typeof values !== 'object' || values === null) refuse('expected an object from vCPU to value')
      const entries = Object.entries(values)
      if (entries.length === 0) refuse('name at least one vCPU, or leave the whole property out')
      return entries.map(([cpu, value]) => `${checkIndex(cpu)}=${print(value as T)}`).join(between)
    },
    read: (cursor) => {
      const values: Record<number, T> = {}
      for (const pair of takeAll(cursor).split(between)) {
        const [cpu, value, more] = pair.split('=')
        if (value === undefined || more !== undefined) refuse(`'${pair}' is not of the form CPU=VALUE`)
        const index = checkIndex(cpu!)
        if (Object.hasOwn(values, index)) refuse(`vCPU ${index} is named twice`)
        values[index] = read(value)
      }
      return values
    },
  }
}

function checkIndex(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) refuse(`'${text}' is not the number of a vCPU`)
  return checkCpu(Number(text))
}

export function takeAll(cursor: Cursor): string {
  const { rest } = cursor
  cursor.offset = cursor.text.length
  return rest
}
