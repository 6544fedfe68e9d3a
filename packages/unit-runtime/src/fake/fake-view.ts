import { errAsync, okAsync } from 'neverthrow'
import type { ViewFailure, ViewPower, ViewServer } from '../powers.js'
import type { FakeGuests } from './fake-guest.js'

export type ViewAnswer = (request: 'open' | 'grant' | 'revoke', name: string) => 'works' | 'fails'

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
      grant({ name }) {
        if (answer('grant', name) === 'fails') return errAsync(failed(`show ${name}`))
        guests.show(server.socket, name)
        return okAsync(undefined)
      },
      revoke(name) {
        if (answer('revoke', name) === 'fails') return errAsync(failed(`hide ${name}`))
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
