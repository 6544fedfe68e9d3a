/** The token, and what is asked of the server with it. */

const KEY = 'dashboard-token'

/** Takes the token out of the address, where it could be seen, copied and kept. It stays in this tab until that is closed. */
export function takeToken() {
  const [, token] = /^#token=([\w-]{43})$/.exec(location.hash) ?? []
  if (token === undefined) return { token: sessionStorage.getItem(KEY) ?? '', isNew: false }
  sessionStorage.setItem(KEY, token)
  history.replaceState(null, '', location.pathname)
  return { token, isNew: true }
}

const bearing = () => ({ authorization: `Bearer ${takeToken().token}` })

export function openEvents(signal) {
  return fetch('/api/events', { headers: bearing(), cache: 'no-store', redirect: 'error', signal })
}

/** Returns why nothing was done, or undefined. */
export async function command(unit, verb, fields) {
  try {
    const answer = await fetch(`/api/units/${encodeURIComponent(unit)}/${verb}`, {
      method: 'POST',
      headers: { ...bearing(), 'content-type': 'application/json' },
      body: JSON.stringify(fields),
      cache: 'no-store',
      redirect: 'error',
    })
    return answer.ok ? undefined : (await answer.json()).message
  } catch {
    return 'The host program does not answer.'
  }
}
