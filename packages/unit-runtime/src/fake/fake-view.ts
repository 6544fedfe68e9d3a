import { err, errAsync, okAsync, ResultAsync } from 'neverthrow'
import type { ViewFailure, ViewPower, ViewServer } from '../powers.js'
import type { FakeGuests } from './fake-guest.js'

/** `hangs`: nothing is done, and the request ends when it is given up. */
export type ViewAnswer = (request: 'open' | 'grant' | 'revoke', name: string) => 'works' | 'fails' | 'hangs'

/** Views without processes, which show their names to the fake guests. */
export function fakeViewPower(guests: FakeGuests, answer: ViewAnswer): ViewPower {
  const failed = (what: string): ViewFailure => ({
    kind: 'system',
    message: `The fake view fails to ${what}.`,
  })
  return ({ directory }) => {
    if (answer('open', directory) === 'fails') return errAsync(failed('open'))
    let end = () => {}
    const server: ViewServer = {
      socket: `${directory}/view.sock`,
      tag: 'store',
      pid: 1001,
      ended: new Promise<void>((resolve) => {
        end = resolve
      }),
      grant({ name }, { signal } = {}) {
        const become = answer('grant', name)
        if (become === 'hangs') return givenUp(signal)
        if (become === 'fails') return errAsync(failed(`show ${name}`))
        guests.show(server.socket, name)
        return okAsync(undefined)
      },
      revoke(name, { signal } = {}) {
        const become = answer('revoke', name)
        if (become === 'hangs') return givenUp(signal)
        if (become === 'fails') return errAsync(failed(`hide ${name}`))
        guests.hide(server.socket, name)
        return okAsync(undefined)
      },
      async [Symbol.asyncDispose]() {
        end()
      },
    }
    return okAsync(server)
  }
}

function givenUp(signal: AbortSignal | undefined): ResultAsync<void, ViewFailure> {
  const aborted = new Promise<void>((resolve) => {
    if (signal?.aborted) resolve()
    else signal?.addEventListener('abort', () => resolve(), { once: true })
  })
  const why = { kind: 'aborted', message: 'Nobody waits for the fake view.' }
  return new ResultAsync(aborted.then(() => err(why)))
}
