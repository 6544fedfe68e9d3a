import { focusHooks } from '../clipboard/focus.js'
import { frameInputHooks } from '../frame/input.js'
import { framedPopupHooks } from '../frame/popups.js'
import { trackingHooks } from '../frame/tracking.js'
import { framedWindowHooks } from '../frame/windows.js'
import { titleHooks } from '../identity/titles.js'
import type { Hooks } from '../relay/hooks.js'
import { boundHooks } from './bounds.js'
import { gestureHooks } from './gestures.js'
import { grabHooks } from './grabs.js'
import { memoryHooks } from './memory.js'
import { redactionHooks } from './redaction.js'
import { windowHooks } from './windows.js'

/** Every part that has a say, in order: first what is impossible, then what is forbidden, then what is changed. */
export const policyHooks: readonly Hooks[] = [
  boundHooks,
  frameInputHooks,
  gestureHooks,
  focusHooks,
  grabHooks,
  memoryHooks,
  windowHooks,
  redactionHooks,
  titleHooks,
  trackingHooks,
  framedWindowHooks,
  framedPopupHooks,
]
