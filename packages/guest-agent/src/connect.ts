import { errAsync } from 'neverthrow'
import type { ConnectAgent } from './agent.js'

export const connectAgent: ConnectAgent = () =>
  errAsync({ kind: 'timed-out', message: 'connectAgent is not written yet' })
