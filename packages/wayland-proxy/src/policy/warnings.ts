/** What a warning is about. The codes stay: rules and searches may rely on them. */
export const WARNINGS = {
  'W-PROTOCOL': 'the client broke the protocol and was cut off',
  'W-BIND': 'the client bound a global that was not offered to it, or not so',
  'W-LIMIT': 'the client wanted more objects than its limit',
  'W-SLOW-READER': 'the client does not read what it is sent',
  'W-DESCRIPTORS': 'the client sent more descriptors than it needs',
  'W-DESCRIPTOR-KIND': 'the client sent a descriptor of another kind than its message needs',
  'W-POOL-SIZE': 'a shared memory pool is larger than its file or its limit',
  'W-NUMBER': 'a number is out of bounds',
  'W-GLOBAL-NEVER': 'the compositor has a global that no unit is ever offered',
  'W-GLOBAL-UNKNOWN': 'the compositor has a global whose messages are not known',
  'W-GLOBAL-DENIED': 'the policy denies a global',
  'W-GLOBAL-OPT-IN': 'a global is not offered because the policy does not allow it',
  'W-FRAME': 'a window cannot be framed, and so is not shown',
  'W-CURSOR': 'a pointer image is larger than its limit',
  'W-POPUP': 'a menu as large as the screen was dismissed',
  'W-FULLSCREEN': 'a window was kept from covering the screen',
  'W-GRAB': 'a window was kept from holding the input, or from being moved, without a gesture of the user',
  'W-CLIPBOARD': 'a use of the clipboard was refused',
  'W-CLIPBOARD-GESTURE': 'a paste without a fresh gesture of the user was refused',
  'W-CLIPBOARD-SIZE': 'a transfer through the clipboard was cut off at its limit',
  'W-DRAG': 'a drag was refused',
  'W-ACTIVATION': 'a request to be brought to the front was ignored',
  'W-TEXT': 'a text was changed because it could deceive',
  'W-CONNECTIONS': 'the unit opens connections faster than its limit',
  'W-COMPOSITOR': 'the compositor cannot be reached',
  'W-TRANSPORT': 'a descriptor cannot travel to this unit',
} as const

/** The stable name of a warning. */
export type WarningCode = keyof typeof WARNINGS

/** Something that a client tried and did not get. */
export interface Warning {
  /** What it is about: one of `WARNINGS`. */
  readonly code: WarningCode
  /** Of the client, counted in its proxy; absent where it is about the unit. */
  readonly session?: number
  /** One line for people. Without secrets; what it quotes of a client is escaped. */
  readonly message: string
  /** In a dry run: it was let pass. */
  readonly passed?: boolean
}
