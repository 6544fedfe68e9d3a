import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { ViewError } from './errors.js'
import type { ViewCounters } from './serve.js'
import type { View, ViewEnd, ViewPath } from './view.js'

/** A view in memory: it keeps what was granted, and serves nobody. */
export interface FakeView extends View {
  /** What is granted right now, by name. */
  readonly granted: ReadonlyMap<string, string>
  /** As if its program had ended. */
  lose(message?: string): void
  /** The next operation of that name fails with it. */
  failNext(operation: 'grant' | 'revoke' | 'counters', error: ViewError): void
}

const NOTHING: ViewCounters = {
  errors: 0,
  bytesRead: 0,
  requests: 0,
  kicks: 0,
  calls: 0,
  malformedChains: 0,
  brokenRings: 0,
  frontEnds: 0,
  protocolErrors: 0,
  grants: 0,
  nodes: 0,
  openFiles: 0,
  memoryRegions: 0,
}

/** A view without a process, a socket or files: it remembers what it was told. */
export function fakeView({ socket = '/run/fake/view.sock', tag = 'view' } = {}): FakeView {
  const granted = new Map<string, string>()
  const failures = new Map<string, ViewError>()
  let end: ViewEnd | undefined
  let settle: (end: ViewEnd) => void = () => {}
  const ended = new Promise<ViewEnd>((resolve) => {
    settle = resolve
  })
  const finish = (how: ViewEnd) => {
    end ??= how
    settle(end)
  }
  const answer = <T>(operation: string, work: () => Result<T, ViewError>): ResultAsync<T, ViewError> => {
    const failure = failures.get(operation)
    failures.delete(operation)
    const outcome = (): Result<T, ViewError> => {
      if (end?.kind === 'closed')
        return err({ kind: 'closed', message: 'this view is closed: open another one' })
      if (end !== undefined) return err({ kind: 'view-lost', message: end.message })
      return failure === undefined ? work() : err(failure)
    }
    return new ResultAsync(Promise.resolve(outcome()))
  }
  const close = async () => finish({ kind: 'closed' })
  return {
    socket,
    tag,
    pid: 1,
    ended,
    granted,
    grant: ({ name, location }: ViewPath) =>
      answer('grant', () => {
        const before = granted.get(name)
        if (before !== undefined && before !== location) {
          const message = 'another file is granted under this name: revoke it first'
          return err({ kind: 'already-granted', message })
        }
        granted.set(name, location)
        return ok()
      }),
    revoke: (name) =>
      answer('revoke', () =>
        granted.delete(name)
          ? ok()
          : err({ kind: 'not-granted', message: 'nothing is granted under this name' }),
      ),
    counters: () => answer('counters', () => ok({ ...NOTHING, grants: granted.size })),
    close,
    lose: (message = 'its program has ended') => finish({ kind: 'lost', message }),
    failNext: (operation, error) => {
      failures.set(operation, error)
    },
    [Symbol.asyncDispose]: close,
  }
}
