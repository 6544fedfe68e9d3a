import { err, ok, type Result } from 'neverthrow'
import { DEFAULT_LIMITS, LIMIT_BOUNDS, type Limit, type Limits } from './limits.js'
import { NEVER } from './lists.js'
import {
  boolean,
  either,
  type Fields,
  fields,
  integer,
  list,
  oneOf,
  type Shape,
  table,
  text,
} from './shape.js'

/** Whether an interface is offered: `deny`, `allow`, or allowed up to a version. */
export type GlobalRule = 'allow' | 'deny' | { readonly version: number }

/** What may cross between the clipboards of unit and desktop. */
export interface ClipboardPolicy {
  /**
   * `off`: programs of the unit cannot even copy to one another. `internal`: they can. `paste-in`: they may read
   * the desktop's clipboard right after the user did something in their window. `copy-out`: what they copy
   * becomes the desktop's. `both`.
   */
  readonly mode: 'off' | 'internal' | 'paste-in' | 'copy-out' | 'both'
  /** Whether each crossing of the unit's border is asked about. */
  readonly confirm: boolean
  /** Bytes of one transfer across the unit's border. */
  readonly maxBytes: number
  /** How many types one offer may name. */
  readonly maxMimeTypes: number
  /** What may cross: exact types, or `text/*`. */
  readonly mimeTypes: readonly string[]
  /** How long after a key, button or touch a paste is the user's. */
  readonly gestureMilliseconds: number
}

/** What the frame round a unit's windows and popups says and looks like. */
export interface FramePolicy {
  /** Stands in a band at the top. What is not printable ASCII is spelt. */
  readonly label: string
  /** `#rrggbb`. The label is black or white on it. */
  readonly colour: string
}

/** How a unit's windows say whose they are. */
export interface IdentityPolicy {
  /**
   * Round every window and popup: no pixel of the unit lies outside of it, and what cannot have one is not shown.
   * A window keeps the one that it began with.
   */
  readonly frame: 'none' | FramePolicy
  /** Stands before every title. Also the title of a window that has none. */
  readonly titlePrefix: string
  /** Stands before every application id. */
  readonly appIdPrefix: string
}

/** What a unit may do at the desktop, and what it is shown. */
export interface Policy {
  /** Says what would be refused or hidden, and lets it pass. What breaks the protocol is refused all the same. */
  readonly dryRun: boolean
  /** By interface, over the lists that are built in. Some interfaces are never offered, whatever this says. */
  readonly globals: Readonly<Record<string, GlobalRule>>
  /** Whether the makers, models, names and serial numbers of monitors are shown. */
  readonly outputIdentity: 'hidden' | 'shown'
  readonly seatName: string
  readonly clipboard: ClipboardPolicy
  readonly primarySelection: 'off' | 'internal'
  readonly dragAndDrop: 'off'
  readonly activation: 'stub' | 'allow'
  readonly idleInhibit: 'stub' | 'allow'
  readonly decoration: 'stub' | 'allow'
  readonly bell: 'stub' | 'allow'
  readonly fullscreen: 'deny' | 'ask' | 'allow'
  readonly identity: IdentityPolicy
  readonly limits: Limits
}

/** What holds when nothing is said. */
export const DEFAULT_POLICY: Policy = {
  dryRun: false,
  globals: {},
  outputIdentity: 'hidden',
  seatName: 'seat0',
  clipboard: {
    mode: 'internal',
    confirm: false,
    maxBytes: 4 * 2 ** 20,
    maxMimeTypes: 32,
    mimeTypes: ['text/*', 'UTF8_STRING', 'STRING', 'TEXT', 'COMPOUND_TEXT', 'image/png'],
    gestureMilliseconds: 2_000,
  },
  primarySelection: 'internal',
  dragAndDrop: 'off',
  activation: 'stub',
  idleInhibit: 'stub',
  decoration: 'stub',
  bell: 'stub',
  fullscreen: 'deny',
  identity: { frame: 'none', titlePrefix: '', appIdPrefix: '' },
  limits: DEFAULT_LIMITS,
}

/** Why a text is no policy. `path` is a JSON pointer into it. */
export interface PolicyError {
  readonly kind: 'not-json' | 'not-a-policy'
  readonly message: string
  readonly path: string
}

const INTERFACE = '^[a-z_][a-z0-9_]{0,127}$'
/** No controls and no formats: what stands before a title must not be able to hide. */
const PLAIN = '^[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\p{Zl}\\p{Zp}]*$'
const LABEL = PLAIN.replace('*', '+')

const limitShapes = Object.fromEntries(
  Object.entries(LIMIT_BOUNDS).map(([name, [least, most]]) => [name, integer(least, most)]),
) as Fields<Limits> & Record<Limit, Shape<number>>

const policyShape: Shape<Policy> = fields<Policy>(
  {
    dryRun: boolean,
    globals: table<GlobalRule>(
      INTERFACE,
      either(
        oneOf('allow', 'deny'),
        fields<{ version: number }>({ version: integer(1, 1_000) }, { version: 1 }),
        '"allow", "deny" or { "version": number }',
      ),
      512,
    ),
    outputIdentity: oneOf('hidden', 'shown'),
    seatName: text(64, PLAIN, 'a plain text'),
    clipboard: fields<ClipboardPolicy>(
      {
        mode: oneOf('off', 'internal', 'paste-in', 'copy-out', 'both'),
        confirm: boolean,
        maxBytes: integer(1, 2 ** 32),
        maxMimeTypes: integer(1, 1_024),
        mimeTypes: list(text(128, '^[!-~]+$', 'a media type or TYPE/*'), 256),
        gestureMilliseconds: integer(0, 60_000),
      },
      DEFAULT_POLICY.clipboard,
    ),
    primarySelection: oneOf('off', 'internal'),
    dragAndDrop: oneOf('off'),
    activation: oneOf('stub', 'allow'),
    idleInhibit: oneOf('stub', 'allow'),
    decoration: oneOf('stub', 'allow'),
    bell: oneOf('stub', 'allow'),
    fullscreen: oneOf('deny', 'ask', 'allow'),
    identity: fields<IdentityPolicy>(
      {
        frame: either(
          oneOf('none'),
          fields<FramePolicy>(
            {
              label: text(32, LABEL, 'a plain text, not empty'),
              colour: text(7, '^#[0-9a-fA-F]{6}$', 'a colour, #rrggbb'),
            },
            { label: 'unit', colour: '#a51d2d' },
          ),
          '"none" or { "label": text, "colour": "#rrggbb" }',
        ),
        titlePrefix: text(64, PLAIN, 'a plain text'),
        appIdPrefix: text(64, '^[A-Za-z0-9._-]*$', 'letters, digits, . _ -'),
      },
      DEFAULT_POLICY.identity,
    ),
    limits: fields<Limits>(limitShapes, DEFAULT_LIMITS),
  },
  DEFAULT_POLICY,
)

/** The JSON schema of a policy, for editors. It says no more and no less than `parsePolicy` checks. */
export const policySchema: Readonly<Record<string, unknown>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Policy of @spectrum/wayland-proxy',
  ...policyShape.schema,
}

/**
 * A policy from its JSON text. Everything is optional and has its default; what is not known is an error, and so
 * is allowing what is never allowed.
 */
export function parsePolicy(json: string): Result<Policy, PolicyError> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (failure) {
    return err({
      kind: 'not-json',
      message: failure instanceof Error ? failure.message : 'no JSON',
      path: '',
    })
  }
  return readPolicy(value)
}

/** A policy from a value of the same form. */
export function readPolicy(value: unknown): Result<Policy, PolicyError> {
  const read = policyShape.read(value, '')
  if (read.isErr()) {
    const { path, message } = read.error
    return err({ kind: 'not-a-policy', message: `${path} ${message}`, path })
  }
  for (const [name, rule] of Object.entries(read.value.globals)) {
    const why = NEVER[name]
    if (why === undefined || rule === 'deny') continue
    const path = `/globals/${name}`
    return err({ kind: 'not-a-policy', message: `${path} is never offered to a unit: ${why}`, path })
  }
  return ok(read.value)
}
