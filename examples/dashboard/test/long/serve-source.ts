import type { Source } from '../../src/board/source.js'
import { systemClock } from '../../src/clock.js'
import { readPage } from '../../src/web/page-files.js'
import { serve } from '../../src/web/server.js'
import { newToken } from '../../src/web/token.js'

/** The page of a source that is no host. */
export async function serveSource(source: Source) {
  const token = newToken()
  const page = await readPage()
  const server = (await serve(source, { port: 0, token, page, clock: systemClock }))._unsafeUnwrap()
  const origin = `http://127.0.0.1:${server.port}`
  return {
    origin,
    address: `${origin}/#token=${token}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
