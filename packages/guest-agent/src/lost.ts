import type { AgentClosed } from './agent.js'
import type { AgentError } from './errors.js'

/** What is to be said about a unit that is gone. */
export function lost(closed: AgentClosed): AgentError {
  const why = {
    'closed-by-host': 'the control channel was closed by this host',
    'closed-by-unit': 'the unit has ended or closed its control channel: see its last log lines',
    'protocol-violation': 'the unit broke the protocol and was cut off',
  }[closed.kind]
  const detail = closed.kind === 'protocol-violation' ? ` (${closed.message})` : ''
  return { kind: 'unit-lost', message: `${why}${detail}`, closed }
}
