import { bytes, closure, compose, defineService, defineUnit, rate } from '@spectrum/unit-runtime'
import type { BuiltClosures } from '../../demo/src/closures.js'

const Greet = defineService('org.example.greet', { response: bytes({ max: 4_096 }) })

/** Three units of two closures, which have most of their store paths in common. */
export function defineGraph({ left, right }: Pick<BuiltClosures, 'left' | 'right'>) {
  const program = `${left}/bin/counter`
  const counter = defineUnit('counter', { store: closure(left), command: [program, '--forever'] })
  // It sleeps until somebody calls it, or starts it from the page.
  const greeter = defineUnit('greeter', {
    store: closure(left),
    start: 'lazy',
    provides: { greet: Greet.command([program, 'hello', 'world']) },
  })
  const colours = defineUnit('colours', { store: closure(right), needs: { greet: Greet } })
  return compose({ counter, greeter, colours }).wire({
    colours: { greet: greeter.provides.greet.with(rate(10, 'minute')) },
  })
}
