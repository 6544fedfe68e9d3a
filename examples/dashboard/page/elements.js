/** All that this page does to its document. What units say becomes text, and there is no way here to make markup of it. */

const ATTRIBUTES = new Set([
  'class',
  'id',
  'type',
  'tabindex',
  'role',
  'aria-label',
  'aria-labelledby',
  'for',
])

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (!ATTRIBUTES.has(key)) throw new Error(`${key} is no attribute that this page sets.`)
    made.setAttribute(key, value)
  }
  made.append(...children)
  return made
}

/** Leaves alone what says this already: a reader's selection, and a screen reader's place in it, stay. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

export function setHidden(target, hidden) {
  if (target.hidden !== hidden) target.hidden = hidden
}

/** A button that cannot be used now keeps the focus that it may have, which `disabled` would lose. */
export function setUsable(button, usable) {
  const value = usable ? 'false' : 'true'
  if (button.getAttribute('aria-disabled') !== value) button.setAttribute('aria-disabled', value)
}

export const isUsable = (button) => button.getAttribute('aria-disabled') === 'false'

/** One child for each item, made once and kept in order. `make` gives `{ element, update(item) }`. */
export function keepList(parent, kept, items, keyOf, make) {
  const keys = new Set(items.map(keyOf))
  for (const [key, one] of kept) {
    if (keys.has(key)) continue
    one.element.remove()
    kept.delete(key)
  }
  for (const [at, item] of items.entries()) {
    const key = keyOf(item)
    const one = kept.get(key) ?? make(item)
    kept.set(key, one)
    // Moving an element takes the focus from it, so only what is in the wrong place is moved.
    if (parent.children[at] !== one.element) parent.insertBefore(one.element, parent.children[at] ?? null)
    one.update(item)
  }
}
