import { printable, quotedText } from '../escape.js'

/** What a predicate may have; a graph with more is refused. */
export const PREDICATE_LIMITS = {
  depth: 16,
  /** Predicates, and the texts and numbers that they list, in all. */
  parts: 256,
  /** UTF-16 code units of one text. */
  textLength: 4_096,
} as const

/** A question about an argument, as data, so that a graph in a file can ask it and everybody can read it. */
export type Predicate =
  | {
      readonly is: 'equal'
      /** The only value that fits. */
      readonly to: string | number
    }
  | {
      readonly is: 'one-of'
      /** The values that fit. */
      readonly of: readonly (string | number)[]
    }
  | {
      readonly is: 'starting-with'
      /** What the text begins with. */
      readonly text: string
    }
  | {
      readonly is: 'at-most'
      /** The largest number that fits. */
      readonly number: number
    }
  | {
      readonly is: 'field'
      /** A field of the record. */
      readonly name: string
      /** What that field has to be. */
      readonly that: Predicate
    }
  | {
      readonly is: 'every'
      /** All of them have to hold. */
      readonly of: readonly Predicate[]
    }
  | {
      readonly is: 'any'
      /** One of them has to hold. */
      readonly of: readonly Predicate[]
    }
  | {
      readonly is: 'not'
      /** What must not hold. */
      readonly that: Predicate
    }

/** The value is this one. */
export const equal = (to: string | number): Predicate => Object.freeze({ is: 'equal', to })
/** The value is one of these. */
export const oneOf = (...of: readonly (string | number)[]): Predicate =>
  Object.freeze({ is: 'one-of', of: Object.freeze([...of]) })
/** The text begins like this. */
export const startingWith = (text: string): Predicate => Object.freeze({ is: 'starting-with', text })
/** The number is not larger. */
export const atMost = (number: number): Predicate => Object.freeze({ is: 'at-most', number })
/** The field of this name fits. */
export const field = (name: string, that: Predicate): Predicate => Object.freeze({ is: 'field', name, that })
/** All of them hold; of none, always true. */
export const every = (...of: readonly Predicate[]): Predicate =>
  Object.freeze({ is: 'every', of: Object.freeze([...of]) })
/** At least one of them holds; of none, never true. */
export const any = (...of: readonly Predicate[]): Predicate =>
  Object.freeze({ is: 'any', of: Object.freeze([...of]) })
/** It does not hold. */
export const not = (that: Predicate): Predicate => Object.freeze({ is: 'not', that })

/** Total: an argument of another shape than the predicate expects does not hold. */
export function holds(predicate: Predicate, argument: unknown): boolean {
  switch (predicate.is) {
    case 'equal':
      return argument === predicate.to
    case 'one-of':
      return predicate.of.includes(argument as string | number)
    case 'starting-with':
      return typeof argument === 'string' && argument.startsWith(predicate.text)
    case 'at-most':
      return typeof argument === 'number' && argument <= predicate.number
    case 'field':
      return (
        typeof argument === 'object' &&
        argument !== null &&
        Object.hasOwn(argument, predicate.name) &&
        holds(predicate.that, (argument as Record<string, unknown>)[predicate.name])
      )
    case 'every':
      return predicate.of.every((one) => holds(one, argument))
    case 'any':
      return predicate.of.some((one) => holds(one, argument))
    case 'not':
      return !holds(predicate.that, argument)
  }
}

/** The predicate as words, for a terminal or a log: `mode is "sign" and size is at most 10`. */
export function wordsOf(predicate: Predicate, subject = 'the argument'): string {
  const joined = (of: readonly Predicate[], word: string, ofNone: string) =>
    of.length === 0 ? ofNone : of.map((one) => inner(one, subject)).join(` ${word} `)
  switch (predicate.is) {
    case 'equal':
      return `${subject} is ${scalar(predicate.to)}`
    case 'one-of':
      return `${subject} is one of ${predicate.of.map(scalar).join(', ')}`
    case 'starting-with':
      return `${subject} starts with ${scalar(predicate.text)}`
    case 'at-most':
      return `${subject} is at most ${predicate.number}`
    case 'field':
      return wordsOf(
        predicate.that,
        subject === 'the argument' ? printable(predicate.name) : `${subject}.${printable(predicate.name)}`,
      )
    case 'every':
      return joined(predicate.of, 'and', 'always')
    case 'any':
      return joined(predicate.of, 'or', 'never')
    case 'not':
      return `not (${wordsOf(predicate.that, subject)})`
  }
}

const scalar = (value: string | number) => (typeof value === 'string' ? quotedText(value) : printable(value))

const inner = (predicate: Predicate, subject: string) =>
  predicate.is === 'every' || predicate.is === 'any'
    ? `(${wordsOf(predicate, subject)})`
    : wordsOf(predicate, subject)
