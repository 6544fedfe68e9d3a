// Drives every native call, rightly and wrongly: `node exercise.mjs ADDON`. Run under AddressSanitizer or
// valgrind, which watch what it does to memory; it prints `exercised` when it got to the end.
import assert from 'node:assert/strict'
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

const addon = isMainThread ? process.argv[2] : workerData.addon
const calls = createRequire(import.meta.url)(addon)
const { constants } = calls

const send = (fd, bytes, fds) => calls.send(fd, bytes, 0, bytes.length, fds, 0, fds.length)

function pair(type = constants.SOCK_STREAM) {
  const ends = new Int32Array(2)
  assert.equal(calls.socketpair(type, ends), 0)
  return [...ends]
}

function wrongArguments() {
  for (const [name, call] of Object.entries(calls)) {
    // The one that takes nothing takes everything.
    if (typeof call !== 'function' || name === 'now') continue
    for (const wrong of [
      undefined,
      null,
      'x',
      {},
      [],
      1.5,
      2 ** 40,
      Number.NaN,
      new Uint8Array(0),
      new Int32Array(0),
      1n,
    ]) {
      for (const more of [
        [],
        [wrong],
        [wrong, wrong, wrong, wrong],
        [-1, wrong, wrong, wrong],
        [-1, new Uint8Array(1), wrong, wrong],
        [-1, new Uint8Array(1), 0, 1, wrong, 0, wrong],
        [-1, wrong, 4096, wrong],
      ]) {
        try {
          const result = call(...(more.length === 0 ? [wrong] : more))
          // A number is a refusal by the kernel; eventfd, pipe and socket may have made something.
          if (result > 2 && !['socket', 'eventfd'].includes(name))
            assert.fail(`${name} took nonsense: ${result}`)
          if (typeof result === 'number' && result > 2) calls.close(result)
        } catch (error) {
          assert.ok(error instanceof TypeError, `${name}: ${error}`)
        }
      }
    }
  }
  assert.throws(() => calls.bind(3, 'x'.repeat(108)), TypeError)
  assert.throws(() => calls.bind(3, 'a\0b'), TypeError)
  assert.throws(() => calls.memfdCreate('x'.repeat(250), 0), TypeError)
  assert.throws(() => calls.receive(3, new Uint8Array(1), new Int32Array(255), 253, 1), TypeError)
  assert.throws(() => calls.receive(3, new Uint8Array(1), new Int32Array(300), 254, 1), TypeError)
  assert.throws(() => calls.receive(3, new Uint8Array(1), new Int32Array(7), 1, 2), TypeError)
  for (const slots of [0, -1, 65]) {
    assert.throws(() => calls.receive(3, new Uint8Array(1), new Int32Array(300), 0, slots), TypeError)
  }
  assert.throws(() => send(3, new Uint8Array(1), new Int32Array(254)), TypeError)
  const [bytes, ints] = [new Uint8Array(4), new Int32Array(4)]
  for (const [start, size, first, count] of [
    [5, 0, 0, 0],
    [0, 5, 0, 0],
    [4, 1, 0, 0],
    [-1, 1, 0, 0],
    [0, 2 ** 53, 0, 0],
    [0, 1, 5, 0],
    [0, 1, 0, 5],
    [0, 1, 2 ** 52, 2 ** 52],
  ]) {
    assert.throws(() => calls.send(-1, bytes, start, size, ints, first, count), TypeError)
  }
  assert.throws(() => calls.closeAll(ints, 4, 1), TypeError)
  assert.throws(() => calls.wait(-1, 0, new Int32Array(2)), TypeError)
  assert.throws(() => calls.inspect(0, new BigInt64Array(4)), TypeError)
  for (const no of [new ArrayBuffer(8), calls.watchOpen(pair()[0], () => {})]) {
    assert.throws(() => calls.unmap(no), TypeError)
  }
}

function messages() {
  for (const type of [constants.SOCK_STREAM, constants.SOCK_SEQPACKET]) {
    const [left, right] = pair(type)
    const file = openSync('/dev/null', 'r')
    for (const [sent, most] of [
      [0, 0],
      [1, 1],
      [2, 1],
      [3, 2],
      [253, 253],
      [253, 252],
      [1, 0],
    ]) {
      assert.equal(send(left, new Uint8Array(100), new Int32Array(sent).fill(file)), 100)
      const out = new Int32Array(3 + most).fill(-1)
      assert.equal(calls.receive(right, new Uint8Array(100), out, most, 1), 1)
      const [flags, length, count, ...fds] = out
      assert.equal(length, 100)
      assert.equal(count, Math.min(sent, most))
      assert.equal((flags & constants.MSG_CTRUNC) !== 0, sent > most)
      for (const fd of fds.slice(0, count)) {
        fstatSync(fd)
        calls.close(fd)
      }
    }
    // As many at once as there are slots, each into its own part, however uneven the arrays.
    for (const [slots, most] of [
      [2, 1],
      [64, 253],
    ]) {
      const fds = new Int32Array(most).fill(file)
      for (let i = 0; i < slots; i++) assert.equal(send(left, new Uint8Array([i]), fds), 1)
      const [bytes, out] = [new Uint8Array(slots * 3 + 1), new Int32Array(slots * (3 + most) + 1)]
      // A stream gives what is there until descriptors came: one message's.
      assert.equal(calls.receive(right, bytes, out, most, slots), slots)
      for (let i = 0; i < slots; i++) {
        assert.equal(bytes[i * 3], i)
        assert.equal(out[i * (3 + most) + 2], most)
        assert.equal(calls.closeAll(out, i * (3 + most) + 3, most), 0)
      }
    }
    for (const slots of [1, 64]) {
      const out = new Int32Array(slots * 3)
      assert.ok(calls.receive(right, new Uint8Array(slots), out, 0, slots) < 0)
    }
    assert.equal(calls.peerCredentials(left, new Int32Array(3)), 0)
    closeSync(file)
    calls.close(left)
    calls.close(right)
  }
}

function mappings() {
  const size = 3 * constants.PAGE_SIZE
  const memfd = calls.memfdCreate('mapped', 0)
  assert.equal(calls.resize(memfd, size), 0)
  const stat = new BigInt64Array(5)
  assert.equal(calls.inspect(memfd, stat), 0)
  assert.equal(stat[1], BigInt(size))
  for (const shared of [0, 1]) {
    const memory = calls.map(memfd, constants.PAGE_SIZE, constants.PAGE_SIZE, shared)
    const view = new Uint8Array(memory)
    view.fill(7)
    const file = new Uint8Array(size)
    assert.equal(calls.read(memfd, file), shared ? 0 : size)
    assert.equal(file[constants.PAGE_SIZE], 0)
    assert.equal(calls.unmap(memory), 0)
    assert.equal(view.length, 0)
    assert.equal(memory.byteLength, 0)
    assert.ok(calls.unmap(memory) < 0)
  }
  assert.ok(calls.map(memfd, 1, constants.PAGE_SIZE, 0) < 0)
  assert.ok(calls.map(memfd, 0, 0, 0) < 0)
  assert.ok(calls.map(memfd, 0, 2 ** 52, 0) < 0)
  // Forgotten ones are the collector's.
  for (let round = 0; round < 50; round++) new Uint8Array(calls.map(memfd, 0, size, 1))[0] = 1
  // Memory that was moved is unmapped with the ArrayBuffer that has it now, never under it.
  const memory = calls.map(memfd, 0, size, 1)
  if (typeof memory.transfer === 'function') {
    const moved = memory.transfer()
    assert.ok(calls.unmap(memory) < 0)
    assert.ok(calls.unmap(memory) < 0)
    new Uint8Array(moved).fill(9)
  } else assert.equal(calls.unmap(memory), 0)
  // This one is left for the end of the program.
  globalThis.left = new Uint8Array(calls.map(memfd, 0, size, 1))
  calls.close(memfd)
}

function descriptorsAndPaths() {
  const folder = mkdtempSync(join(tmpdir(), 'unix-fd-'))
  const path = join(folder, 's'.repeat(107 - folder.length - 1))
  const server = calls.socket(constants.SOCK_SEQPACKET)
  assert.equal(calls.bind(server, path), 0)
  assert.equal(calls.listen(server, 4), 0)
  const client = calls.socket(constants.SOCK_SEQPACKET)
  assert.equal(calls.connect(client, path), 0)
  const peer = calls.accept(server)
  assert.ok(peer > 0)
  assert.equal(calls.shutdown(peer, constants.SHUT_WR), 0)
  assert.equal(calls.shutdown(peer, constants.SHUT_RD), 0)
  for (const fd of [peer, client, server]) assert.equal(calls.close(fd), 0)
  assert.equal(calls.unlink(path), 0)
  rmSync(folder, { recursive: true })

  const memfd = calls.memfdCreate('x'.repeat(249), constants.MFD_ALLOW_SEALING)
  assert.equal(calls.write(memfd, new Uint8Array(4096)), 4096)
  const copy = calls.duplicate(memfd)
  assert.equal(calls.fcntl(copy, constants.F_ADD_SEALS, constants.F_SEAL_WRITE), 0)
  assert.ok(calls.socketOption(memfd, constants.SO_TYPE) < 0)
  assert.ok(calls.wait(memfd, 0, new Int32Array(3)) < 0)
  for (const fd of [copy, memfd]) calls.close(fd)
  const event = calls.eventfd(1, 0)
  assert.equal(calls.read(event, new Uint8Array(8)), 8)
  calls.close(event)
  const ends = new Int32Array(2)
  assert.equal(calls.pipe(ends, 0), 0)
  assert.equal(calls.closeAll(ends, 0, 2), 0)
  assert.ok(calls.closeAll(ends, 1, 1) < 0)
  const locked = calls.open('/tmp/.', constants.O_PATH)
  assert.ok(calls.lock(locked) < 0)
  calls.close(locked)
  assert.throws(() => calls.open('x'.repeat(113), 0), TypeError)
  assert.ok(calls.open('/'.padEnd(112, 'x'), 0) < 0)
  const self = calls.pidfdOpen(process.pid)
  // valgrind 3.19 knows no pidfds and answers ENOSYS for the kernel.
  if (self === -38 && process.argv.includes('--valgrind')) return
  assert.equal(calls.pidfdSendSignal(self, 0), 0)
  calls.close(self)
}

function trees() {
  // Of its own: a name that others leave in /tmp may be longer than the room for a record.
  const place = mkdtempSync('/tmp/trees-')
  let top = calls.openBeneath(constants.AT_FDCWD, place, constants.O_PATH | constants.O_DIRECTORY, 0)
  let file = calls.openBeneath(top, '.', 0, constants.RESOLVE_BENEATH)
  // valgrind 3.19 does not know openat2 either.
  if (top === -38 && process.argv.includes('--valgrind')) {
    top = calls.open(place, constants.O_PATH)
    file = calls.open(place, 0)
  }
  assert.ok(top > 0 && file > 0)
  const records = new Uint8Array(48)
  assert.ok(calls.list(file, records, 1) > 0)
  for (let length = 1; length > 0; ) length = calls.list(file, records, 0)
  assert.ok(calls.list(file, new Uint8Array(1), 1) < 0)
  assert.ok(calls.list(-1, records, 1) < 0)
  for (const name of ['', 'x'.repeat(4095), 'caf\xe9']) calls.statAt(top, name, new Int32Array(9))
  for (const name of ['x'.repeat(4096), 'a\0b']) {
    assert.throws(() => calls.statAt(top, name, new Int32Array(9)), TypeError)
    assert.throws(() => calls.openBeneath(top, name, 0, 0), TypeError)
    assert.throws(() => calls.readLinkAt(top, name, new Uint8Array(1)), TypeError)
  }
  assert.throws(() => calls.statAt(top, '', new Int32Array(8)), TypeError)
  assert.ok(calls.readLinkAt(top, '', new Uint8Array(0)) < 0)
  calls.close(file)
  calls.close(top)
  rmSync(place, { recursive: true })

  const memfd = calls.memfdCreate('pieces', 0)
  calls.write(memfd, new Uint8Array(5000).fill(7))
  const bytes = new Uint8Array(4096)
  assert.equal(calls.readPieces(memfd, 0, bytes, Int32Array.of(0, 4096), 1), 4096)
  assert.equal(calls.readPieces(memfd, 4000, bytes, Int32Array.of(4095, 1, 0, 4096, 4096, 0), 3), 1000)
  assert.equal(calls.readPieces(memfd, 0, bytes, new Int32Array(2048).fill(1), 1024), 1024)
  for (const pieces of [
    [0, 4097],
    [4096, 1],
    [4097, 0],
    [-1, 1],
    [1, -1],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ]) {
    assert.throws(() => calls.readPieces(memfd, 0, bytes, Int32Array.from(pieces), 1), TypeError)
  }
  assert.throws(() => calls.readPieces(memfd, 0, bytes, new Int32Array(4096), 1025), TypeError)
  assert.throws(() => calls.readPieces(memfd, 0, bytes, new Int32Array(3), 2), TypeError)
  assert.ok(calls.readPieces(-1, 0, bytes, Int32Array.of(0, 1), 1) < 0)
  calls.close(memfd)
}

async function watches() {
  for (let round = 0; round < 50; round++) {
    const [left, right] = pair()
    let watch
    await new Promise((resolve) => {
      watch = calls.watchOpen(right, (status, events) => {
        calls.watchClose(watch)
        resolve([status, events])
      })
      assert.equal(calls.watchSet(watch, 1), 0)
      calls.watchHold(watch, 0)
      calls.watchHold(watch, 1)
      assert.ok(calls.watchOpen(right, () => {}) < 0)
      send(left, new Uint8Array(1), new Int32Array(0))
    })
    calls.watchClose(watch)
    assert.throws(() => calls.watchSet(watch, 1))
    assert.throws(() => calls.watchHold(watch, 1))
    calls.close(left)
    calls.close(right)
  }
  // A watch that nobody closed or started may be collected, with its descriptor gone or not.
  for (let round = 0; round < 20; round++) {
    const [left, right] = pair()
    calls.watchOpen(left, () => {})
    calls.watchClose(calls.watchOpen(right, () => {}))
    calls.close(left)
    calls.close(right)
  }
  globalThis.gc?.()
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc?.()
}

/** A watch that wants to be called again is, with no events, until it is closed, or what it called throws. */
async function callsAgain() {
  for (const how of ['says no', 'closes', 'throws']) {
    const [left, right] = pair()
    const heard = []
    let watch
    const over = new Promise((resolve) => {
      watch = calls.watchOpen(right, (status, events, turn) => {
        heard.push([status, events])
        assert.ok(turn > 0)
        if (heard.length < 3) return true
        resolve()
        calls.watchSet(watch, 0)
        if (how === 'closes') calls.watchClose(watch)
        if (how === 'throws') throw new Error('on purpose')
        return how === 'closes'
      })
    })
    const thrown = []
    const onThrown = (error) => thrown.push(error.message)
    process.on('uncaughtException', onThrown)
    calls.watchSet(watch, 1)
    send(left, new Uint8Array(1), new Int32Array(0))
    await over
    await new Promise((resolve) => setImmediate(resolve))
    process.off('uncaughtException', onThrown)
    assert.deepEqual(heard, [
      [0, 1],
      [0, 0],
      [0, 0],
    ])
    assert.deepEqual(thrown, how === 'throws' ? ['on purpose'] : [])
    calls.watchClose(watch)
    calls.close(left)
    calls.close(right)
  }
}

function looks() {
  const [left, right] = pair()
  const before = calls.now()
  const looked = Int32Array.of(left, 1, -1, right, 1, -1)
  assert.equal(calls.look(looked, 2, 10_000), 0)
  assert.ok(calls.now() - before >= 10_000)
  assert.deepEqual([...looked], [left, 1, 0, right, 1, 0])
  send(left, new Uint8Array(1), new Int32Array(0))
  assert.equal(calls.look(looked, 2, 1_000_000), 1)
  assert.deepEqual([...looked], [left, 1, 0, right, 1, 1])
  assert.equal(calls.look(Int32Array.of(left, 3, 0), 1, 0), 1)
  assert.equal(calls.look(looked, 0, 0), 0)
  calls.close(left)
  // A hang-up, and a number that is nobody's, are found as what is wanted.
  for (const [number, wanted] of [
    [right, 2],
    [left, 1],
  ]) {
    const one = Int32Array.of(number, wanted, 0)
    assert.equal(calls.look(one, 1, 0), 1)
    assert.ok((one[2] & wanted) !== 0)
  }
  calls.close(right)
  const ints = new Int32Array(27)
  for (const [count, nanoseconds] of [
    [9, 0],
    [-1, 0],
    [1, 1_000_001],
    [1, -1],
  ]) {
    assert.throws(() => calls.look(ints, count, nanoseconds), TypeError)
  }
  assert.throws(() => calls.look(new Int32Array(5), 2, 0), TypeError)
  assert.throws(() => calls.look(new Uint8Array(24), 2, 0), TypeError)
}

/** A worker that ends, by itself or by force, with a started watch. */
async function workers() {
  for (const how of ['ends', 'is terminated']) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { addon, how } })
    // Listened for from the start: a worker's last message and its end may be told in one go.
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    if (how === 'is terminated') await worker.terminate()
    else await ended
  }
}

if (isMainThread) {
  wrongArguments()
  messages()
  mappings()
  descriptorsAndPaths()
  trees()
  looks()
  await watches()
  await callsAgain()
  if (!process.argv.includes('--valgrind')) await workers()
  // The program itself ends with a watch in progress, too.
  const [, right] = pair()
  calls.watchSet(
    calls.watchOpen(right, () => {}),
    1,
  )
  process.stdout.write('exercised\n', () => process.exit(0))
} else {
  mappings()
  const [, right] = pair()
  calls.watchSet(
    calls.watchOpen(right, () => {}),
    1,
  )
  calls.watchSet(
    calls.watchOpen(pair()[0], () => {}),
    2,
  )
  parentPort.postMessage('watching')
  if (workerData.how === 'ends') setImmediate(() => process.exit(0))
}
