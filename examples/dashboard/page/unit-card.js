import { element, isUsable, setHidden, setText, setUsable } from './elements.js'
import { bytes, clockTime, count, list, stateWords, storeName, withoutDigest } from './words.js'

const MOST_LINES = 200
/** A double click on "Stop" must not also be one on "End now", which it becomes. */
const CALM_MS = 1_500

/** One unit on the page. `command(unit, verb, fields)` returns why nothing was done, or undefined. */
export function unitCard(name, command) {
  const titleId = `unit-${name}`
  const state = element('span', { class: 'state' })
  const why = element('p', { class: 'why' })
  const facts = element('dl')
  const shown = new Map()
  const start = button('Start')
  const stop = button('Stop')
  const choice = element('select', { 'aria-label': `Software for ${name}` })
  const add = button('Add')
  const adding = element('span', { class: 'adding' }, choice, add)
  // Told to those who do not see it, too.
  const answer = element('p', { class: 'answer', role: 'status' })
  const lines = element('ol', { class: 'log', tabindex: '0', 'aria-label': `Log of ${name}` })
  const log = element('details', {}, element('summary', {}, 'Log'), lines)
  const card = element(
    'article',
    { class: 'unit', 'aria-labelledby': titleId },
    element('div', { class: 'head' }, element('h2', { id: titleId }, name), state),
    why,
    element(
      'div',
      { class: 'buttons', role: 'group', 'aria-label': `What to do with ${name}` },
      start,
      stop,
      adding,
    ),
    answer,
    facts,
    log,
  )
  let last = 0
  let refusal
  let said
  let calmUntil = 0
  let calming

  /** A refusal stays until something else is to be said. */
  const ask = async (button, verb, fields) => {
    if (!isUsable(button)) return
    setUsable(button, false)
    refusal = await command(name, verb, fields())
    if (refusal === undefined) return
    setUsable(button, true)
    setText(answer, refusal)
    answer.dataset.state = 'failed'
  }
  start.addEventListener('click', () => ask(start, 'start', () => ({})))
  stop.addEventListener('click', () => {
    const now = stop.dataset.now === 'true'
    if (isUsable(stop)) calmUntil = performance.now() + CALM_MS
    ask(stop, 'stop', () => ({ now }))
  })
  add.addEventListener('click', () => ask(add, 'inject', () => ({ software: choice.value })))

  function update({ unit, notice }) {
    setText(state, stateWords(unit.state))
    state.dataset.state = unit.state
    setText(why, unit.why ?? '')
    setHidden(why, unit.why === undefined)
    setUsable(start, unit.may.start)
    setStop(unit.may.stop)
    setChoice(choice, unit.may.inject)
    setUsable(add, unit.may.inject.length > 0)
    setHidden(choice, unit.may.inject.length === 0)
    setAnswer(notice, unit.hint)
    for (const [term, text] of factsOf(unit)) setFact(term, text)
  }

  function setStop(may) {
    clearTimeout(calming)
    const calmMs = may === 'now' ? calmUntil - performance.now() : 0
    setUsable(stop, may !== 'no' && calmMs <= 0)
    setText(stop, may === 'now' ? 'End now' : 'Stop')
    stop.dataset.now = String(may === 'now')
    if (calmMs > 0) calming = setTimeout(() => setStop(may), calmMs)
  }

  function setAnswer(notice, hint) {
    const news = notice && `${notice.id} ${notice.state}`
    if (news !== said) refusal = undefined
    said = news
    setText(answer, refusal ?? [notice?.text, hint].filter(Boolean).join('. '))
    answer.dataset.state = refusal === undefined ? (notice?.state ?? '') : 'failed'
  }

  function setFact(term, text) {
    let fact = shown.get(term)
    if (fact === undefined) {
      fact = element('div', {}, element('dt', {}, term), element('dd'))
      shown.set(term, fact)
      facts.append(fact)
    }
    setHidden(fact, text === undefined)
    setText(fact.lastChild, text ?? '')
  }

  function addLines(news) {
    const follows = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 4
    for (const { seq, at, source, text } of news) {
      // Told again after the connection was lost.
      if (seq <= last) continue
      last = seq
      lines.append(element('li', {}, element('span', {}, `${clockTime(at)} ${source} `), text))
    }
    while (lines.children.length > MOST_LINES) lines.firstChild.remove()
    if (follows) lines.scrollTop = lines.scrollHeight
  }

  return { element: card, update, addLines }
}

function button(text) {
  const made = element('button', { type: 'button' }, text)
  setUsable(made, false)
  return made
}

function setChoice(choice, names) {
  if (list([...choice.options].map(({ value }) => value)) === list(names)) return
  choice.replaceChildren(...names.map((name) => new Option(name, name)))
}

function factsOf({ command, software, injected, paths, memoryBytes, sharing, restarts }) {
  const shares = sharing?.sharesWith ?? []
  return [
    ['Program', command && `${command.argv.map(withoutDigest).join(' ')} (${command.state})`],
    ['Granted', list(software.map(storeName))],
    ['Added', injected.length === 0 ? undefined : list(injected.map(storeName))],
    ['Sees', paths === 0 ? undefined : count(paths, 'store path', 'store paths')],
    ['Memory', memoryBytes === undefined ? undefined : bytes(memoryBytes)],
    ['Of the store', sharing && `${bytes(sharing.rssBytes)}; its share is ${bytes(sharing.pssBytes)}`],
    ['Shares with', shares.length === 0 ? undefined : list(shares)],
    ['Restarts', restarts === 0 ? undefined : String(restarts)],
  ]
}
