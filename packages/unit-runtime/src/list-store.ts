import type { Agent, AgentError, AgentOptions } from '@spectrum/guest-agent'
import type { ResultAsync } from 'neverthrow'

/** An agent that reads its own `/nix/store`: sorted base names, without any program of the closure. */
interface ListingAgent extends Agent {
  listStore(options?: AgentOptions): ResultAsync<readonly string[], AgentError>
}

export function listStore(agent: Agent, options: AgentOptions): ResultAsync<readonly string[], AgentError> {
  return (agent as ListingAgent).listStore(options)
}
