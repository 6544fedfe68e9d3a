import { bytes, closure, compose, defineService, defineUnit, rate } from '@spectrum/unit-runtime'
import type { BuiltClosures } from '../../demo/src/closures.js'

const Greet = defineService('org.example.greet', { response: bytes({ max: 4_096 }) })

/** Two units that run the same program, and one of another closure, which has most store paths in common with theirs. */
export function defineGraph({ left, right }: Pick<BuiltClosures, 'left' | 'right'>) {
  const counting = { store: closure(left), command: [`${left}/bin/counter`, '--forever'] }
  const counter = defineUnit('counter', counting)
  const abacus = defineUnit('abacus', { ...counting, needs: { greet: Greet } })
  // It sleeps until somebody calls it, or starts it from the page.
  const colours = defineUnit('colours', {
    store: closure(right),
    start: 'lazy',
    provides: { greet: Greet.command([`${right}/bin/colours`, 'hello', 'world']) },
  })
  return compose({ counter, abacus, colours }).wire({
    abacus: { greet: colours.provides.greet.with(rate(10, 'minute')) },
  })
}
