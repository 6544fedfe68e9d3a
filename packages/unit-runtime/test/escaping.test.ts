import { escapeText } from '@spectrum/unit-runtime'
import { describe, expect, it } from 'vitest'
import { visible as ofCrosvmSpec } from '../../crosvm-spec/src/visible.js'
import { printable as ofGuestAgent } from '../../guest-agent/src/escape.js'
import { quote as ofStoreShare } from '../../store-share/src/quote.js'
import { printable as ofUnitGraph } from '../../unit-graph/src/escape.js'

/** Packages that are useful alone each escape what they print; a host program sees one kind of escape. */
const escapers = { escapeText, ofCrosvmSpec, ofGuestAgent, ofStoreShare, ofUnitGraph }

describe.each(Object.entries(escapers))('the text that %s lets through', (_, spell) => {
  it('holds no character that moves a cursor, breaks a line, reorders or hides', () => {
    let wrong = ''
    for (let code = 0; code <= 0x10ffff; code += 1) {
      const character = String.fromCodePoint(code)
      const shown = spell(character)
      if (shown !== escapeText(character) || /[\p{C}\p{Zl}\p{Zp}]/u.test(shown.replace(/\p{Cn}/u, ''))) {
        wrong += ` ${code.toString(16)}`
      }
    }
    expect(wrong).toBe('')
  })

  it('is bounded, or as long as it was given', () => {
    expect(spell('a'.repeat(20))).toBe('a'.repeat(20))
    expect(spell('\u001b'.repeat(10_000)).length).toBeLessThanOrEqual(40_000)
  })
})
