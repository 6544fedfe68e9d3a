// A worker does not get the loader of the thread that starts it: this brings it, and then runs `workerData.program`.
import { workerData } from 'node:worker_threads'
import { tsImport } from 'tsx/esm/api'

await tsImport(workerData.program, import.meta.url)
