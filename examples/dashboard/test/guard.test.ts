import { describe, expect, it } from 'vitest'
import { type Asked, admit } from '../src/web/guard.js'
import { newToken } from '../src/web/token.js'

const token = newToken()
const admission = {
  names: ['127.0.0.1:8000', 'localhost:8000'],
  token,
  files: new Set(['/', '/dashboard.js']),
}
const get: Asked = {
  method: 'GET',
  target: '/',
  host: ['127.0.0.1:8000'],
  origin: [],
  fetchSite: [],
  authorization: [],
  contentType: [],
}
const events: Asked = { ...get, target: '/api/events', authorization: [`Bearer ${token}`] }
const post: Asked = {
  ...events,
  method: 'POST',
  target: '/api/units/mail/stop',
  origin: ['http://127.0.0.1:8000'],
  fetchSite: ['same-origin'],
  contentType: ['application/json'],
}
const judge = (asked: Asked) =>
  admit(asked, admission).match(
    (route) => route.kind,
    ({ status, kind }) => `${status} ${kind}`,
  )

describe('what a request may ask for', () => {
  it.each<[string, Asked, string]>([
    ['a page that is typed in', { ...get, fetchSite: ['none'] }, 'file'],
    ['a script of the page', { ...get, target: '/dashboard.js', fetchSite: ['same-origin'] }, 'file'],
    ['the same without a body', { ...get, method: 'HEAD' }, 'file'],
    ['its other name', { ...get, host: ['localhost:8000'] }, 'file'],
    ['the events with the token', events, 'events'],
    ['a command with all that it takes', post, 'command'],
    [
      'a command under the other name',
      { ...post, host: ['localhost:8000'], origin: ['http://localhost:8000'] },
      'command',
    ],
    ['a command of something that is no browser', { ...post, fetchSite: [] }, 'command'],
    ['a charset', { ...post, contentType: ['application/json; charset=utf-8'] }, 'command'],
  ])('admits %s', (_, asked, route) => {
    expect(judge(asked)).toBe(route)
  })

  it.each<[string, Asked, string]>([
    ['a name that was made to lead here', { ...get, host: ['evil.example:8000'] }, '403 host'],
    ['another port', { ...get, host: ['127.0.0.1:8001'] }, '403 host'],
    ['no port', { ...get, host: ['127.0.0.1'] }, '403 host'],
    ['its name in the middle of another', { ...get, host: ['127.0.0.1:8000.evil.example'] }, '403 host'],
    ['no name at all', { ...get, host: [] }, '403 host'],
    ['two names', { ...get, host: ['127.0.0.1:8000', 'evil.example'] }, '403 host'],
    ['a whole address, as to a proxy', { ...get, target: 'http://127.0.0.1:8000/' }, '400 target'],
    ['an address without a scheme', { ...get, target: '//evil.example/' }, '400 target'],
    ['nothing in particular', { ...get, target: '*' }, '400 target'],
    ['another site’s script', { ...events, origin: ['http://evil.example'] }, '403 origin'],
    ['a page without an origin', { ...post, origin: ['null'] }, '403 origin'],
    ['the same machine’s other port', { ...post, origin: ['http://127.0.0.1:8001'] }, '403 origin'],
    ['the other name’s page', { ...post, origin: ['http://localhost:8000'] }, '403 origin'],
    ['another scheme', { ...post, origin: ['https://127.0.0.1:8000'] }, '403 origin'],
    ['a command without an origin', { ...post, origin: [] }, '403 origin'],
    ['two origins', { ...post, origin: [...post.origin, ...post.origin] }, '403 origin'],
    ['an image on another site', { ...get, fetchSite: ['cross-site'] }, '403 site'],
    ['a link on another port of this machine', { ...get, fetchSite: ['same-site'] }, '403 site'],
    ['a command that was typed in', { ...post, fetchSite: ['none'] }, '403 site'],
    [
      'a question before asking (CORS)',
      { ...post, method: 'OPTIONS', origin: ['http://evil.example'] },
      '403 origin',
    ],
    ['such a question of its own', { ...post, method: 'OPTIONS' }, '405 method'],
    ['a path that is none of its own', { ...get, target: '/../package.json' }, '404 not-found'],
    ['an escaped path', { ...get, target: '/%2e%2e/package.json' }, '404 not-found'],
    ['a path with a question', { ...get, target: `/?token=${token}` }, '404 not-found'],
    ['a unit whose name no unit has', { ...post, target: '/api/units/a%2Fb/stop' }, '404 not-found'],
    ['something else to do with a unit', { ...post, target: '/api/units/mail/exec' }, '404 not-found'],
    ['to write the page', { ...post, target: '/' }, '405 method'],
    ['to read a command', { ...post, method: 'GET' }, '405 method'],
    ['to write events', { ...post, target: '/api/events' }, '405 method'],
    ['events without the token', { ...events, authorization: [] }, '401 token'],
    ['a wrong token', { ...events, authorization: [`Bearer ${newToken()}`] }, '401 token'],
    ['a part of the token', { ...events, authorization: [`Bearer ${token.slice(0, -1)}`] }, '401 token'],
    ['more than the token', { ...events, authorization: [`Bearer ${token}=`] }, '401 token'],
    ['the token alone', { ...events, authorization: [token] }, '401 token'],
    [
      'the token twice',
      { ...events, authorization: [...events.authorization, ...events.authorization] },
      '401 token',
    ],
    ['a command without the token', { ...post, authorization: [] }, '401 token'],
    ['a form', { ...post, contentType: ['application/x-www-form-urlencoded'] }, '415 content-type'],
    ['plain text, as a form may send it', { ...post, contentType: ['text/plain'] }, '415 content-type'],
    ['no type', { ...post, contentType: [] }, '415 content-type'],
  ])('refuses %s', (_, asked, refusal) => {
    expect(judge(asked)).toBe(refusal)
  })

  it('gives no token twice, and none that can be guessed', () => {
    const tokens = new Set(Array.from({ length: 100 }, newToken))
    expect(tokens.size).toBe(100)
    for (const one of tokens) expect(one).toMatch(/^[\w-]{43}$/)
  })
})
