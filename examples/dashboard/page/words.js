const MEBIBYTE = 1024 * 1024

export function bytes(count) {
  return count < MEBIBYTE ? `${Math.round(count / 1024)} KiB` : `${(count / MEBIBYTE).toFixed(1)} MiB`
}

export const count = (number, one, many) => `${number} ${number === 1 ? one : many}`

export const list = (names) => names.join(', ')

/** `/nix/store` names a path by 32 characters and what it is called. */
export const storeName = (name) => name.slice(33) || name

export const withoutDigest = (word) => word.replace(/^\/nix\/store\/[^-]{32}-/, '…-')

const STATES = new Map([
  ['not-started', 'not started'],
  ['backing-off', 'comes again soon'],
  ['dormant', 'asleep'],
])

export const stateWords = (state) => STATES.get(state) ?? state

export const clockTime = (at) => new Date(at).toTimeString().slice(0, 8)
