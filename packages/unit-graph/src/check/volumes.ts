import { posix } from 'node:path'
import type { GraphError } from '../errors.js'
import { printable } from '../escape.js'
import type { UnitDefinition, VolumeDefinition } from '../unit.js'
import { isRecord } from './fault.js'
import { isWhole, MEBIBYTE } from './whole.js'

/** It is the serial number of the unit's disk, which holds 20 bytes. */
export const VOLUME_NAME = /^[a-z][a-z0-9-]{0,14}$/
export const MAX_VOLUMES = 16
/** What the agent takes. */
export const MAX_VOLUME_PATH = 255

const FIELDS: readonly string[] = ['path', 'sizeBytes', 'readOnly'] satisfies (keyof VolumeDefinition)[]
/** What the unit's own system needs: nothing is mounted there, nor below. */
const SYSTEM = ['/proc', '/sys', '/dev', '/nix', '/run/spectrum']

/** The first fault of a unit's volumes. */
export function faultOfVolumes(key: string, { name, volumes }: UnitDefinition): GraphError | undefined {
  const fault = (path: readonly string[], rule: string): GraphError => ({
    kind: 'invalid-value',
    message: `${path.map(printable).join('.')} of unit "${name}" must be ${rule}.`,
    path: [key, ...path],
  })
  if (volumes === undefined) return undefined
  if (!isRecord(volumes)) return fault(['volumes'], 'an object: { data: { path, sizeBytes } }')
  const entries = Object.entries<unknown>(volumes)
  if (entries.length > MAX_VOLUMES) return fault(['volumes'], `at most ${MAX_VOLUMES}`)
  const taken = new Set<string>()
  for (const [volume, given] of entries) {
    const at = (...more: readonly string[]) => ['volumes', volume, ...more]
    if (!VOLUME_NAME.test(volume)) {
      return fault(at(), 'named by a lower-case letter, then at most 14 of a-z, 0-9 and "-"')
    }
    if (!isRecord(given)) return fault(at(), 'an object: { path, sizeBytes }')
    const { path, sizeBytes, readOnly } = given
    const foreign = Object.keys(given).find((field) => !FIELDS.includes(field))
    if (foreign !== undefined) return fault(at(foreign), 'left out: a volume has no such field')
    if (!isPlace(path)) return fault(at('path'), PLACE)
    if (taken.has(path)) return fault(at('path'), 'its own: another volume is mounted there')
    taken.add(path)
    if (!isWhole(sizeBytes, 16 * MEBIBYTE, 2 ** 44, MEBIBYTE)) {
      return fault(at('sizeBytes'), 'a multiple of 1 MiB from 16 MiB to 16 TiB')
    }
    if (readOnly !== undefined && typeof readOnly !== 'boolean') {
      return fault(at('readOnly'), 'true or false')
    }
  }
  return undefined
}

const PLACE =
  `an absolute path without "." and "..", of at most ${MAX_VOLUME_PATH} bytes, not / or /run, ` +
  `nor at or below ${SYSTEM.join(', ')}`

function isPlace(path: unknown): path is string {
  return (
    typeof path === 'string' &&
    path.startsWith('/') &&
    !path.includes('\0') &&
    Buffer.byteLength(path) <= MAX_VOLUME_PATH &&
    posix.normalize(path) === path &&
    !path.endsWith('/') &&
    path !== '/run' &&
    !SYSTEM.some((system) => path === system || path.startsWith(`${system}/`))
  )
}
