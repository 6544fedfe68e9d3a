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

/**
 * Whether an interface is offered: `deny`, `allow`, or allowed up to a version (1 to 1,000). A version above
 * the one that was reviewed, or that the table knows, changes nothing.
 */
export type GlobalRule = 'allow' | 'deny' | { readonly version: number }

/** What may cross between the clipboards of unit and desktop. */
export interface ClipboardPolicy {
  /**
   * `off`: programs of the unit cannot even copy to one another. `internal`: they can. `paste-in`: they may read
   * the desktop's clipboard right after the user did something in their window. `copy-out`: what they copy
   * becomes the desktop's. `both`.
   */
  readonly mode: 'off' | 'internal' | 'paste-in' | 'copy-out' | 'both'
  /**
   * Whether each crossing of the unit's border is asked about, by `ProxyOptions.ask`; nobody there to ask:
   * no.
   */
  readonly confirm: boolean
  /**
   * Bytes of one transfer across the unit's border: 1 to 2^32, by default 4 MiB. A longer one is ended there,
   * with the warning `W-CLIPBOARD-SIZE`.
   */
  readonly maxBytes: number
  /** How many types one offer may name: 1 to 1,024, by default 32. Further ones are left out. */
  readonly maxMimeTypes: number
  /**
   * What may cross: up to 256 exact types, or `text/*` for all that begin so. By default texts and
   * `image/png`.
   */
  readonly mimeTypes: readonly string[]
  /** How long after a key, button or touch a paste is the user's: 0 to 60,000 ms, by default 2,000. */
  readonly gestureMilliseconds: number
}

/** What the frame round a unit's windows and popups says and looks like. */
export interface FramePolicy {
  /** Stands in a band at the top: 1 to 32 characters. What is not printable ASCII is spelt. */
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
  /**
   * Stands before every title, and is that of a window without one: 64 characters at most, none of them a
   * control or a format. Empty by default.
   */
  readonly titlePrefix: string
  /** Stands before every application id: 64 characters at most of `A-Za-z0-9._-`. Empty by default. */
  readonly appIdPrefix: string
}

/**
 * What a unit may do at the desktop, and what it is shown. In JSON every field may be left out: `parsePolicy`
 * then takes that of `DEFAULT_POLICY`.
 */
export interface Policy {
  /** Says what would be refused or hidden, and lets it pass. What breaks the protocol is refused all the same. */
  readonly dryRun: boolean
  /**
   * By interface (`wl_output`), 512 at most, over the lists that are built in: a rule opens what is offered
   * only where allowed, or closes what is offered else. Some interfaces are never offered: naming one with
   * anything but `deny` is an error.
   */
  readonly globals: Readonly<Record<string, GlobalRule>>
  /** Whether the makers, models, names and serial numbers of monitors are shown. */
  readonly outputIdentity: 'hidden' | 'shown'
  /**
   * What stands in place of the name of every seat (`wl_seat.name`): 64 characters at most. `seat0` by
   * default.
   */
  readonly seatName: string
  /** What may be copied and pasted (`wl_data_device_manager`, which the proxy answers itself). */
  readonly clipboard: ClipboardPolicy
  /**
   * Pasting with the middle button (`zwp_primary_selection_device_manager_v1`): not at all, or among the
   * unit's own programs. The desktop's is never reached.
   */
  readonly primarySelection: 'off' | 'internal'
  /** Every drag is refused, with the warning `W-DRAG`; there is no other value yet. */
  readonly dragAndDrop: 'off'
  /**
   * Coming to the front (`xdg_activation_v1`). `stub`: tokens are given out and good for nothing; each use
   * warns with `W-ACTIVATION`. `allow`: the compositor's own.
   */
  readonly activation: 'stub' | 'allow'
  /**
   * Keeping the screen from locking (`zwp_idle_inhibit_manager_v1`). `stub`: accepted, without effect.
   * `allow`: the compositor's own.
   */
  readonly idleInhibit: 'stub' | 'allow'
  /**
   * Who draws a window's decoration (`zxdg_decoration_manager_v1`, and KDE's). `stub`: the proxy answers that
   * the program does, or, inside of a frame, what it wishes. `allow`: the compositor's own.
   */
  readonly decoration: 'stub' | 'allow'
  /** Ringing (`xdg_system_bell_v1`). `stub`: accepted, and silent. `allow`: the compositor's own. */
  readonly bell: 'stub' | 'allow'
  /**
   * Covering the screen (`xdg_toplevel.set_fullscreen`); never before the window was shown once. `ask`: by
   * `ProxyOptions.ask`, each time. Otherwise left out, with the warning `W-FULLSCREEN`.
   */
  readonly fullscreen: 'deny' | 'ask' | 'allow'
  /** How its windows say whose they are. */
  readonly identity: IdentityPolicy
  /** What it may cost the host. In JSON only what differs from `DEFAULT_LIMITS` has to be named. */
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

/**
 * Why a text is no policy. `not-json`: it cannot be parsed. `not-a-policy`: a field is not known, is out of
 * its range, or allows what is never allowed.
 */
export interface PolicyError {
  readonly kind: 'not-json' | 'not-a-policy'
  readonly message: string
  /**
   * A JSON pointer (RFC 6901) to what is wrong: `/limits/pixels`; `/` when the value is no object, and empty
   * when the text is not JSON.
   */
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
 * A policy from its JSON text. Everything is optional and has its default; what is not known is an error
 * (`not-a-policy`), and so is allowing what is never allowed.
 * `parsePolicy('{"clipboard":{"mode":"paste-in"}}')` lets a unit paste, and is the default in all else.
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

/**
 * A policy from a value of the same form, with the same defaults. Errors: `not-a-policy`.
 *
 * @example
 * ```ts
 * import { readPolicy } from '@spectrum/wayland-proxy'
 *
 * const policy = readPolicy({
 *   identity: { frame: { label: 'mail', colour: '#a51d2d' }, titlePrefix: '[mail] ' },
 *   clipboard: { mode: 'paste-in' },
 * })
 * if (policy.isErr()) throw new Error(policy.error.message) // names the first wrong place
 * ```
 */
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
