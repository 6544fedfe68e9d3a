import { parentPort, workerData } from 'node:worker_threads'
import { openKvm } from '../../src/linux.js'

// Runs a vCPU that another thread made, in memory that both have, until it was kicked often enough.
const kvm = openKvm()._unsafeUnwrap()
const vcpu = kvm.adoptVcpu(workerData.vcpu)._unsafeUnwrap()
const memory = kvm.adoptMemory(workerData.memory)._unsafeUnwrap()
let [outs, kicks] = [0, 0]
parentPort?.postMessage({ kind: 'ready' })
while (kicks < workerData.kicks) {
  const exit = vcpu.run()._unsafeUnwrap()
  if (exit.kind === 'io-out') outs += 1
  if (exit.kind !== 'kicked') continue
  kicks += 1
  const [seen] = memory.read(0x2000, 1)._unsafeUnwrap()
  parentPort?.postMessage({ kind: 'kicked', kicks, outs, seen })
}
if (!workerData.leavesItOpen) for (const one of [vcpu, memory, kvm]) one.close()
