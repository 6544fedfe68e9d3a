import { escapeAndCut } from '@spectrum/unit-monitor'

/** What a function that is not ours has thrown, for a message. Not everything that can be thrown has words. */
export function wordsOfThrown(thrown: unknown): string {
  try {
    return escapeAndCut(String(thrown), 500)
  } catch {
    return 'something without words'
  }
}
