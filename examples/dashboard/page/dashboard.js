import { command, openEvents, takeToken } from './access.js'
import { element, keepList, setHidden, setText } from './elements.js'
import { readEvents } from './event-stream.js'
import { unitCard } from './unit-card.js'
import { bytes, count, list } from './words.js'

const RETRY_MS = 2_000

const at = (id) => document.getElementById(id)
const cards = new Map()
const edges = new Map()

function show({ host, units, edges: wires, memory, notices }) {
  setText(at('host'), `${host.monitor}, ${host.accelerator}: ${host.why}`)
  const items = units.map((unit) => ({
    unit,
    notice: notices.findLast((notice) => notice.unit === unit.name),
  }))
  keepList(
    at('units'),
    cards,
    items,
    ({ unit }) => unit.name,
    ({ unit }) => unitCard(unit.name, command),
  )
  keepList(at('edge-list'), edges, wires, ({ unit, need }) => `${unit}.${need}`, edgeRow)
  setHidden(at('edges'), wires.length === 0)
  showMemory(memory)
  const running = units.filter(({ state }) => state === 'running').length
  document.title = `${running} of ${count(units.length, 'unit runs', 'units run')}`
}

function edgeRow() {
  const ends = element('strong')
  const details = element('span')
  return {
    element: element('li', {}, ends, details),
    update({ unit, need, service, provider, conditions, allowed, refused }) {
      const goal = provider === undefined ? 'nothing' : provider.name
      const whose = provider?.kind === 'host' ? 'the host’s ' : ''
      setText(ends, `${unit}.${need} → ${whose}${goal}`)
      const calls = `${count(allowed, 'call', 'calls')} allowed, ${refused} refused`
      setText(details, list([service, ...conditions, calls]))
    },
  }
}

function showMemory({ rssBytes, pssBytes, savedBytes, problem = '' }) {
  setHidden(at('memory'), rssBytes === 0 && problem === '')
  setText(
    at('memory-words'),
    `The units hold ${bytes(pssBytes)} of the store. Each with a copy of its own, they would hold ` +
      `${bytes(rssBytes)}: ${bytes(savedBytes)} saved.`,
  )
  at('memory-meter').max = Math.max(1, rssBytes)
  at('memory-meter').value = pssBytes
  setText(at('memory-problem'), problem)
}

function say(text, state) {
  setText(at('connection'), text)
  document.body.dataset.connection = state
}

/** Returns whether it is of use to try again. */
async function listen(signal) {
  const answer = await openEvents(signal)
  if (answer.status === 401) {
    say('This page has no valid token. Open the address that the host program has printed.', 'lost')
    return false
  }
  if (!answer.ok) {
    say((await answer.json()).message, 'lost')
    return true
  }
  say('Live', 'live')
  for await (const { event, data } of readEvents(answer.body)) {
    const told = JSON.parse(data)
    if (event === 'state') show(told)
    if (event === 'log') cards.get(told.unit)?.addLines(told.lines)
    if (event === 'end') {
      say('The host program has ended.', 'lost')
      return false
    }
  }
  say('The connection was lost. Trying again …', 'lost')
  return true
}

async function live(signal) {
  for (;;) {
    const again = await listen(signal).catch(() => {
      if (!signal.aborted) say('The host program does not answer. Trying again …', 'lost')
      return true
    })
    if (!again || signal.aborted) return
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

let listening = new AbortController()
takeToken()
void live(listening.signal)

// The address of another run, opened in the same tab: the browser takes it for a place on this page.
addEventListener('hashchange', () => {
  if (!takeToken().isNew) return
  listening.abort()
  listening = new AbortController()
  for (const kept of [cards, edges]) {
    for (const one of kept.values()) one.element.remove()
    kept.clear()
  }
  void live(listening.signal)
})
