import type { Fd } from '@spectrum/unix-fd'
import { expect } from 'vitest'
import { FIRST_SERVER_ID } from '../src/objects/ids.js'
import { descriptors, table } from './peers/peer.js'
import { type Connection, Unit } from './peers/unit.js'

/** Numbers that are the same for the same seed: xorshift32. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

type Random = (below: number) => number

const ODD = [0, 1, 2, 3, 4, 7, 0x7fffffff, 0x80000000, 0xffffffff, 0xff000000, 0xfeffffff, 16_385]

/** No interface has so many messages. */
const NO_OPCODE = 100

interface Made {
  readonly bytes: Uint8Array
  readonly descriptors: number
  readonly pipe: boolean
}

/** Words of a message that is right most of the time, so that many clients get deep. */
function message(
  random: Random,
  { client }: Connection,
  dead: Set<number>,
  next: () => number,
): Made | undefined {
  const objects = [...client.objects].filter(([id]) => !dead.has(id) || random(500) === 0)
  const [id, known] = objects[random(objects.length)]!
  const requests = known.type.requests.filter(({ since }) => since <= known.version || random(50) === 0)
  const request = requests[random(Math.max(1, requests.length))]
  if (request === undefined) return undefined
  // Rarely, so that there is something to work with.
  if (request.destructor && random(4) > 0) return undefined
  if (request.name === 'destroy_registry' && random(20) > 0) return undefined
  const lacking = request.signature.arguments.some(
    ({ type }, index) =>
      type.kind === 'object' &&
      !type.nullable &&
      !objects.some(([, one]) => one.type === request.targets[index]),
  )
  if (lacking) return undefined
  const created: [number, string, number][] = []
  let descriptors = 0
  const words: number[] = [id, 0]
  const bytes = (length: number, zero: boolean) => {
    const start = words.length
    for (let at = 0; at < Math.ceil(length / 4); at++) words.push(random(0xffffffff))
    if (!zero || length === 0) return
    const view = new Uint8Array(Uint32Array.from(words.slice(start)).buffer)
    view[length - 1] = 0
    words.splice(start, words.length - start, ...new Uint32Array(view.buffer))
  }
  for (const [index, { type }] of request.signature.arguments.entries()) {
    const wild = random(300) === 0
    if (type.kind === 'fd') {
      descriptors += wild ? random(3) : 1
      continue
    }
    if (type.kind === 'object') {
      const wanted = objects.filter(([, one]) => one.type === request.targets[index])
      if (wild || wanted.length === 0) words.push(type.nullable ? 0 : ODD[random(ODD.length)]!)
      else words.push(type.nullable && random(3) === 0 ? 0 : wanted[random(wanted.length)]![0])
    } else if (type.kind === 'new-id') {
      const odd = ODD[random(ODD.length)]!
      // One that is free, or is about to be, would be right, and the client not know what it made.
      const newId = !wild ? next() : odd > 99 ? odd : odd & 1
      const target = request.targets[index]
      if (!wild && target) created.push([newId, target.name, known.version])
      words.push(newId)
    } else if (type.kind === 'untyped-new-id') {
      const global = client.globals[random(client.globals.length)]!
      const name = new TextEncoder().encode(`${global.interface}\0`)
      words[words.length - 1] = wild ? 1_000 + random(99) : global.name
      const padded = new Uint8Array(Math.ceil(name.length / 4) * 4)
      padded.set(name)
      const version = wild ? ODD[random(ODD.length)]! : 1 + random(global.version)
      const newId = next()
      if (!wild) created.push([newId, global.interface, version])
      words.push(name.length, ...new Uint32Array(padded.buffer), version, newId)
    } else if (type.kind === 'string' || type.kind === 'array') {
      const length = wild ? ODD[random(ODD.length)]! : random(200)
      words.push(length)
      bytes(Math.min(length, 300), !wild && type.kind === 'string')
    } else words.push(random(9) === 0 ? ODD[random(ODD.length)]! : 1 + random(8))
  }
  if (request.name === 'create_pool' && random(9) > 0) words[words.length - 1] = 4_096
  // Few random buffers fit into a pool.
  if (request.name === 'create_buffer' && random(9) > 0) words.splice(3, 4, 0, 4, 4, 16)
  // Few are inside themselves.
  if (request.name === 'get_subsurface' && words[3] === words[4] && random(9) > 0) {
    words[4] = objects.find(([one, { type }]) => type.name === 'wl_surface' && one !== words[3])?.[0] ?? 0
  }
  for (const [newId, name, version] of created) client.know(newId, name, version)
  if (request.destructor) dead.add(id)
  const size = random(400) === 0 ? random(5_000) : words.length * 4
  words[1] = ((size << 16) | (random(400) === 0 ? NO_OPCODE + random(0xff00) : request.opcode)) >>> 0
  return {
    bytes: new Uint8Array(Uint32Array.from(words).buffer),
    descriptors,
    pipe: request.name === 'receive',
  }
}

/** An event that may be right, from a compositor that is not to be trusted either. */
function event(random: Random, { compositor }: Connection): Uint8Array | undefined {
  const objects = [...compositor.objects].filter(([id]) => id > 2)
  if (objects.length === 0) return undefined
  const [id, known] = objects[random(objects.length)]!
  const events = known.type.events.filter(
    ({ signature }) => !signature.arguments.some(({ type }) => type.kind === 'fd' || type.kind === 'new-id'),
  )
  const one = events[random(Math.max(1, events.length))]
  if (one === undefined || one.destructor) return undefined
  const words: number[] = [id, 0]
  for (const [index, { type }] of one.signature.arguments.entries()) {
    if (type.kind === 'object') {
      const wanted = objects.filter(([, other]) => other.type === one.targets[index])
      if (wanted.length === 0) return undefined
      words.push(wanted[random(wanted.length)]![0])
    } else if (type.kind === 'string') words.push(4, 0x00434241)
    else if (type.kind === 'array') words.push(8, 1, 2)
    else words.push(ODD[random(ODD.length)]!)
  }
  words[1] = ((words.length * 4) << 16) | one.opcode
  return new Uint8Array(Uint32Array.from(words).buffer)
}

/** Any event of any object, right or wrong, with or without what it needs: from a compositor that was taken over. */
function wildEvent(random: Random, { compositor }: Connection, nextId: () => number): Made | undefined {
  const objects = [...compositor.objects].filter(([id]) => id > 1)
  const [id, known] = objects[random(objects.length)]!
  const one = known.type.events[random(Math.max(1, known.type.events.length))]
  if (one === undefined) return undefined
  const wild = random(40) === 0
  let descriptors = wild ? random(3) : 0
  // Not the display: who takes ids back that are in use, or gives up, only plays with itself.
  const odd = ODD[random(ODD.length)]!
  const words: number[] = [wild && random(3) === 0 && odd !== 1 ? odd : id, 0]
  const created: [number, string][] = []
  for (const [index, { type }] of one.signature.arguments.entries()) {
    if (type.kind === 'fd') descriptors += wild ? random(2) : 1
    else if (type.kind === 'object') {
      const wanted = objects.filter(([, other]) => other.type === one.targets[index])
      if (wanted.length > 0 && !wild) words.push(wanted[random(wanted.length)]![0])
      else words.push(type.nullable ? 0 : ODD[random(ODD.length)]!)
    } else if (type.kind === 'new-id') {
      const newId = !wild ? nextId() : odd === FIRST_SERVER_ID ? 0 : odd
      const target = one.targets[index]
      if (!wild && target) created.push([newId, target.name])
      words.push(newId)
    } else if (type.kind === 'string' || type.kind === 'array') {
      const length = wild ? ODD[random(ODD.length)]! : 4 * (1 + random(50))
      words.push(length)
      for (let at = 0; at < Math.min(length, 300); at += 4) words.push(random(0xffffff))
    } else words.push(ODD[random(ODD.length)]!)
  }
  const size = wild && random(2) === 0 ? random(5_000) : words.length * 4
  words[1] = ((size << 16) | (wild && random(2) === 0 ? random(0x10000) : one.opcode)) >>> 0
  // What a broken message would have made does not exist.
  if (!wild) for (const [newId, name] of created) compositor.know(newId, name, known.version)
  return { bytes: new Uint8Array(Uint32Array.from(words).buffer), descriptors, pipe: false }
}

/**
 * One client's life under fire. The unit asserts that nothing invalid went upstream and nothing leaked; nothing
 * invalid may reach the client either, whatever a `hostile` compositor sends.
 */
export async function fuzzOnce(
  seed: number,
  hostile = false,
): Promise<{ readonly messages: number; readonly refused: boolean }> {
  const random = randomFrom(seed)
  const globals = ['zwp_tablet_manager_v2', 'zwp_pointer_constraints_v1', 'wl_seat']
  const names = [
    'wl_compositor',
    'wl_subcompositor',
    'wl_shm',
    'wl_output',
    'xdg_wm_base',
    'wp_viewporter',
    'wp_presentation',
    'wp_single_pixel_buffer_manager_v1',
    'zwp_relative_pointer_manager_v1',
    'zwp_pointer_gestures_v1',
    'zxdg_output_manager_v1',
    ...globals,
  ]
  await using unit = new Unit({
    globals: Object.fromEntries(globals.map((name) => [name, 'allow'])),
    clipboard: { mode: 'both', gestureMilliseconds: 60_000 },
    limits: { objects: 500, callbacks: 50 },
    identity: { frame: seed % 2 === 0 ? 'none' : { label: 'fuzz' } },
  })
  const offered = names.map((name, index) => ({
    name: index + 10,
    interface: name,
    version: table.find(name)!.version,
  }))
  const connection = await unit.started([
    ...offered,
    { name: 99, interface: 'wl_data_device_manager', version: 3 },
  ])
  const { client, compositor } = connection
  using file = descriptors.createMemfd('fuzz', { size: 4_096 })._unsafeUnwrap()
  const pipe = descriptors.createPipe()._unsafeUnwrap()
  using _reader = pipe.reader
  using _writer = pipe.writer
  const dead = new Set<number>()
  const next = () => {
    const id = client.id()
    dead.delete(id)
    return id
  }
  let messages = 0
  let serverIds = 0
  for (let round = 0; round < 60 && !client.ended; round++) {
    for (let step = 0; step < 10; step++) {
      const made = message(random, connection, dead, next)
      if (made === undefined) continue
      const { bytes } = made
      const fds = new Array<Fd>(made.descriptors).fill(made.pipe ? pipe.writer : file.fd)
      const cut = random(20) === 0 ? random(bytes.length) : 0
      if (cut > 0) client.raw(bytes.subarray(0, cut), fds)
      client.raw(bytes.subarray(cut), cut > 0 ? [] : fds)
      messages += 1
    }
    await new Promise((resolve) => setImmediate(resolve))
    const answer = random(3) === 0 ? event(random, connection) : undefined
    if (answer !== undefined && !compositor.ended) compositor.raw(answer)
    for (let step = 0; hostile && step < 5 && !compositor.ended; step++) {
      const made = wildEvent(random, connection, () => FIRST_SERVER_ID + serverIds++)
      if (made !== undefined) compositor.raw(made.bytes, new Array<Fd>(made.descriptors).fill(file.fd))
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  const blamed = hostile ? ['system'] : ['compositor-broke-protocol', 'system']
  expect(
    unit.endings.filter(({ kind }) => blamed.includes(kind)),
    `seed ${seed}`,
  ).toEqual([])
  expect(client.faults, `what reached the client, seed ${seed}`).toEqual([])
  return { messages, refused: unit.endings.length > 0 }
}
