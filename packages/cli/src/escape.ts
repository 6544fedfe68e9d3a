import { escapeText } from '@spectrum/unit-runtime'

/**
 * Text that a guest may have had a hand in, made safe for a terminal. Line breaks stay, because our own
 * messages have them; everything else that moves a cursor, rings, colours, reorders or hides is spelled out.
 */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeText).join('\n')
}
