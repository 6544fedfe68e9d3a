import type { Host } from '@spectrum/unit-runtime'
import { ok, ResultAsync } from 'neverthrow'
import { Board, type BoardOptions } from './board/board.js'
import { type Clock, systemClock } from './clock.js'
import { readPage } from './web/page-files.js'
import { type ServeError, type ServeLimits, serve } from './web/server.js'
import { newToken } from './web/token.js'

export interface DashboardOptions extends Omit<BoardOptions, 'clock'> {
  /** On loopback. By default one that is free. */
  readonly port?: number | undefined
  readonly clock?: Clock | undefined
  readonly limits?: Partial<ServeLimits> | undefined
}

/** A page on loopback for one host. Disposing it ends the page and what was begun from it; the host goes on. */
export interface Dashboard extends AsyncDisposable {
  /** For the browser of who may command the host, with the token: whoever has it may. */
  readonly address: string
  /** Starts every unit of the graph; what fails is told on the page. */
  startAll(): void
}

/** Puts the units of a host on a page. Rejects when the files of the page are not where they were installed. */
export function openDashboard(host: Host, options: DashboardOptions): ResultAsync<Dashboard, ServeError> {
  const { graph, software, port = 0, clock = systemClock, limits = {} } = options
  return new ResultAsync(
    (async () => {
      const page = await readPage()
      const token = newToken()
      const board = new Board(host, { graph, software, clock })
      const served = await serve(board, { port, token, page, clock, limits })
      if (served.isErr()) await board[Symbol.asyncDispose]()
      return served.andThen((server) =>
        ok<Dashboard>({
          // Behind the number sign: no browser sends it, and no server, proxy or Referer gets to see it.
          address: `http://127.0.0.1:${server.port}/#token=${token}`,
          startAll: () => board.startAll(),
          async [Symbol.asyncDispose]() {
            await server[Symbol.asyncDispose]()
            await board[Symbol.asyncDispose]()
          },
        }),
      )
    })(),
  )
}
