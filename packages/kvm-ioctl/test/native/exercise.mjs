// Drives every native call, rightly and wrongly: `node exercise.mjs ADDON`. Run under AddressSanitizer or valgrind, which
// watch what it does to memory; it prints `exercised` when it got to the end. Works without a /dev/kvm, too.
import assert from 'node:assert/strict'
import { openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

const addon = isMainThread ? process.argv[2] : workerData.addon
const calls = createRequire(import.meta.url)(addon)
const { pending, closed, wrongThread } = calls.answers
const { EINTR, ENOENT, EOVERFLOW } = constants.errno
const valgrind = process.argv.includes('--valgrind')

function wrongArguments() {
  const wrongs = [undefined, null, 'x', {}, [], 1.5, 2 ** 54, Number.NaN, -1, 1n, new Int32Array(0)]
  for (const [name, call] of Object.entries(calls)) {
    if (typeof call !== 'function' || ['open', 'endWithParentOrAfter'].includes(name)) continue
    for (const wrong of wrongs) {
      for (const given of [
        [],
        [wrong],
        [0, wrong],
        [0, 0, wrong],
        [wrong, 0, new Uint8Array(64), wrong, wrong, wrong, wrong, wrong],
      ]) {
        try {
          const result = call(...given)
          assert.ok(result < 0 || result === 0, `${name} took nonsense: ${result}`)
        } catch (error) {
          assert.ok(error instanceof TypeError, `${name}: ${error}`)
        }
      }
    }
  }
}

function memories() {
  const { pageSize } = calls
  for (let round = 0; round < 50; round++) {
    const handle = round % 2 ? calls.anonymousMemory(pageSize, 0) : calls.memfdMemory(pageSize, 0)
    assert.ok(handle > 0)
    const memory = calls.bytesOf(handle)
    new Uint8Array(memory).fill(round)
    const second = calls.share(handle)
    assert.equal(calls.take(second), 0)
    assert.ok(calls.take(second) < 0)
    // In every order: the handle, its double, the ArrayBuffer; and some are left to the collector.
    const ends = [() => calls.close(handle), () => calls.close(second), () => calls.forget(memory)]
    for (let step = 0; step < (round % 4 === 3 ? 1 : 3); step++) assert.equal(ends[(round + step) % 3](), 0)
  }
  const file = openSync('/proc/self/exe', 'r')
  for (const access of [0, 1, 2]) {
    const handle = calls.fileMemory(file, 0, pageSize, access, 1)
    if (handle > 0) calls.close(handle)
  }
  assert.ok(calls.fileMemory(file, 0, pageSize, 0, 0) < 0)
  assert.ok(calls.anonymousMemory(0, 0) < 0)
  // A memory whose bytes were moved is unmapped with the ArrayBuffer that has them now.
  const moved = calls.anonymousMemory(pageSize, 0)
  const buffer = calls.bytesOf(moved)
  if (typeof buffer.transfer === 'function') {
    const other = buffer.transfer()
    assert.ok(calls.forget(buffer) < 0)
    calls.close(moved)
    new Uint8Array(other).fill(1)
  }
  // More handles than the table begins with.
  const many = Array.from({ length: 500 }, () => calls.anonymousMemory(pageSize, 0))
  for (const handle of many) assert.equal(calls.close(handle), 0)
  for (const handle of many) assert.equal(calls.close(handle), closed)
}

const REQUESTS = {
  CREATE_VM: 0xae01,
  CREATE_VCPU: 0xae41,
  SET_REGION: 0x4020ae46,
  GET_SREGS: 0x8138ae83,
  SET_SREGS: 0x4138ae84,
  SET_REGS: 0x4090ae82,
  GET_DIRTY_LOG: 0x4010ae42,
  SET_TSS: 0xae47,
  SET_TSC_KHZ: 0xaea2,
  GET_TSC_KHZ: 0xaea3,
}

/** A real-mode guest of these bytes. */
function guest(code) {
  const kvm = calls.open()
  if (kvm < 0) return undefined
  const vm = calls.adopt(calls.ioctlNumber(kvm, REQUESTS.CREATE_VM, 0), kvm)
  assert.ok(vm > 0)
  calls.ioctlNumber(vm, REQUESTS.SET_TSS, 0xfffbd000)
  const memory = calls.anonymousMemory(65536, 0)
  const bytes = calls.bytesOf(memory)
  new Uint8Array(bytes).set(code, 0x1000)
  const region = new Uint8Array(32)
  new DataView(region.buffer).setBigUint64(16, 65536n, true)
  assert.equal(calls.setSlot(vm, REQUESTS.SET_REGION, region, 24, 0, memory, 0, 65536), 0)
  const vcpu = calls.adopt(calls.ioctlNumber(vm, REQUESTS.CREATE_VCPU, 0), vm)
  const run = calls.mapRun(vcpu, 12288)
  const sregs = new Uint8Array(0x138)
  assert.equal(calls.ioctlBytes(vcpu, REQUESTS.GET_SREGS, sregs), 0)
  new DataView(sregs.buffer).setBigUint64(0, 0n, true)
  new DataView(sregs.buffer).setUint16(12, 0, true)
  assert.equal(calls.ioctlBytes(vcpu, REQUESTS.SET_SREGS, sregs), 0)
  const regs = new Uint8Array(0x90)
  new DataView(regs.buffer).setBigUint64(128, 0x1000n, true)
  new DataView(regs.buffer).setBigUint64(136, 2n, true)
  assert.equal(calls.ioctlBytes(vcpu, REQUESTS.SET_REGS, regs), 0)
  return { kvm, vm, memory, bytes, vcpu, run }
}

const OUT_FOREVER = [0xe6, 0x80, 0xeb, 0xfc]
const SPIN = [0xeb, 0xfe]

function runs() {
  const made = guest(OUT_FOREVER)
  if (made === undefined) return false
  for (let round = 0; round < 20; round++) assert.equal(calls.run(made.vcpu), 0)
  assert.equal(calls.kick(made.vcpu), 0)
  assert.equal(calls.run(made.vcpu), 1)
  // What the kernel gives back with the highest bit set is no number, and what looks like EINTR no signal.
  for (const [rate, answer] of [
    [2 ** 31 + 5, -EOVERFLOW],
    [2 ** 32 - EINTR, -EINTR],
  ]) {
    const took = calls.ioctlNumber(made.vcpu, REQUESTS.SET_TSC_KHZ, rate) === 0
    if (took) assert.equal(calls.ioctlNumber(made.vcpu, REQUESTS.GET_TSC_KHZ, 0), answer)
  }
  // A bitmap for the dirty log is never too small for what the kernel writes there.
  const log = new Uint8Array(16)
  assert.equal(calls.slotLength(made.vm, 0), 65536)
  assert.equal(calls.slotLength(made.vm, 9), -ENOENT)
  assert.equal(calls.dirtyLog(made.vm, REQUESTS.GET_DIRTY_LOG, log, 8, 0, new Uint8Array(7)), -EOVERFLOW)
  assert.equal(calls.dirtyLog(made.vm, REQUESTS.GET_DIRTY_LOG, log, 8, 9, new Uint8Array(8)), -ENOENT)
  assert.equal(calls.dirtyLog(made.vm, REQUESTS.GET_DIRTY_LOG, log, 8, 0, new Uint8Array(8)), -ENOENT) // not logged
  // The slot goes, its memory is closed before: the guest had it until then.
  calls.forget(made.bytes)
  calls.close(made.memory)
  assert.equal(calls.run(made.vcpu), 0)
  assert.equal(calls.setSlot(made.vm, REQUESTS.SET_REGION, new Uint8Array(32), 24, 0, 0, 0, 0), 0)
  for (const handle of [made.kvm, made.vm]) assert.equal(calls.close(handle), 0)
  calls.forget(made.run)
  assert.equal(calls.close(made.vcpu), 0)
  assert.equal(calls.run(made.vcpu), closed)
  return true
}

async function threads() {
  const made = guest(OUT_FOREVER)
  if (made === undefined) return
  for (const look of [0, 20_000]) {
    let heard = 0
    await new Promise((resolve) => {
      const go = () => {
        while (heard < 50) {
          const result = calls.threadRun(made.vcpu, look)
          if (result === pending) return
          assert.ok(result >= 0)
          heard += 1
        }
        resolve()
      }
      assert.equal(
        calls.threadStart(made.vcpu, (result) => {
          assert.ok(result >= 0)
          heard += 1
          go()
        }),
        0,
      )
      assert.ok(calls.threadStart(made.vcpu, () => {}) < 0)
      calls.threadHold(made.vcpu, 1)
      go()
    })
    // Stopped while it runs, while it has something to tell, and while it is idle.
    calls.threadRun(made.vcpu, 0)
    if (look) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(calls.threadStop(made.vcpu), 0)
    assert.equal(calls.threadStop(made.vcpu), 0)
  }
  calls.threadStart(made.vcpu, () => {})
  calls.threadRun(made.vcpu, 0)
  // Closed in the middle, and the rest left to the collector.
  for (const handle of [made.vm, made.vcpu, made.memory, made.kvm]) calls.close(handle)
  globalThis.gc?.()
  await new Promise((resolve) => setImmediate(resolve))
}

/** Workers that end, by themselves or by force, with a vCPU in its guest. */
async function workers() {
  for (const how of ['ends in a thread', 'is terminated in a thread', 'is terminated in run']) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { addon, how } })
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    const handles = await new Promise((resolve, reject) =>
      worker.once('message', resolve).once('error', reject),
    )
    for (const handle of handles) {
      assert.equal(calls.close(handle), wrongThread)
      assert.equal(calls.ioctlNumber(handle, REQUESTS.CREATE_VM, 0), wrongThread)
    }
    if (how.startsWith('is terminated')) await worker.terminate()
    else await ended
    for (const handle of handles) assert.equal(calls.kick(handle), closed)
  }
}

if (isMainThread) {
  wrongArguments()
  memories()
  if (runs()) {
    await threads()
    if (!valgrind) await workers()
    // The program itself ends with a guest that never exits on a thread, too.
    const made = guest(SPIN)
    calls.threadStart(made.vcpu, () => {})
    calls.threadRun(made.vcpu, 0)
  }
  globalThis.gc?.()
  process.stdout.write('exercised\n', () => process.exit(0))
} else {
  memories()
  const made = guest(SPIN)
  const handles = [made.kvm, made.vm, made.vcpu, made.memory]
  if (workerData.how.endsWith('run')) {
    parentPort.postMessage(handles)
    // Memory that comes later than the run's first would be let go before it at the end.
    globalThis.late = calls.bytesOf(calls.anonymousMemory(65536, 0))
    // V8 looks for a termination where a function begins.
    const enter = () => calls.run(made.vcpu)
    for (;;) enter()
  }
  calls.threadStart(made.vcpu, () => {})
  calls.threadHold(made.vcpu, 1)
  calls.threadRun(made.vcpu, 0)
  globalThis.late = calls.bytesOf(calls.anonymousMemory(65536, 0))
  parentPort.postMessage(handles)
  if (workerData.how.startsWith('ends')) setTimeout(() => process.exit(0), 20)
}
