// Exits in a worker: for each message so many, with what they say looked at; answers nanoseconds for each.
import { parentPort, workerData } from 'node:worker_threads'
import { tsImport } from 'tsx/esm/api'

const { openGuest, exitsHere } = await tsImport('./guest.ts', import.meta.url)
const guest = openGuest(workerData.code)
parentPort.on('message', (count) => parentPort.postMessage(exitsHere(guest, count)))
