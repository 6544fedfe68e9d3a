import type { GraphError } from '../errors.js'
import { printable } from '../escape.js'
import type { UnitDefinition } from '../unit.js'
import { isArgv } from './argv.js'
import { firstOf, isRecord, type ValueFault, wrong } from './fault.js'
import { faultOfService } from './service.js'

/** A unit's own name for a service: it becomes a file name in the unit. */
export const LOCAL_NAME = /^[a-z][A-Za-z0-9-]{0,63}$/
export const MAX_INTERFACES = 256
/** `sun_path` without its terminating NUL (unix(7)). */
export const MAX_SOCKET_PATH = 107

/** The first fault of what a unit needs and provides. */
export function faultOfInterfaces(key: string, unit: UnitDefinition): GraphError | undefined {
  const fault =
    faultOfRecord(unit.needs, ['needs'], faultOfNeed) ??
    faultOfRecord(unit.provides, ['provides'], (value, path) => faultOfProvision(unit.name, value, path))
  if (fault === undefined) return undefined
  return {
    kind: 'invalid-value',
    message: `${printable(fault.path.join('.'))} of unit "${unit.name}" must be ${fault.rule}.`,
    path: [key, ...fault.path],
  }
}

function faultOfRecord(
  value: unknown,
  path: readonly string[],
  check: (value: unknown, path: readonly string[]) => ValueFault | undefined,
): ValueFault | undefined {
  if (!isRecord(value) || Object.keys(value).length > MAX_INTERFACES) {
    return wrong(path, `a record of at most ${MAX_INTERFACES} names`)
  }
  return firstOf(Object.entries(value), ([name, one]) =>
    LOCAL_NAME.test(name)
      ? check(one, [...path, name])
      : wrong(path, 'named by a lower-case letter, then at most 63 letters, digits and "-"'),
  )
}

const below = (path: readonly string[], fault: ValueFault | undefined) =>
  fault && { ...fault, path: [...path, ...fault.path] }

function faultOfNeed(value: unknown, path: readonly string[]): ValueFault | undefined {
  if (!isRecord(value) || (value['availability'] !== 'required' && value['availability'] !== 'optional')) {
    return wrong(path, 'a service, or service.optional()')
  }
  return below([...path, 'service'], faultOfService(value['service']))
}

function faultOfProvision(unit: string, value: unknown, path: readonly string[]): ValueFault | undefined {
  const name = path[path.length - 1]
  if (!isRecord(value) || value['kind'] !== 'provision' || value['unit'] !== unit || value['name'] !== name) {
    return wrong(path, 'what service.command(…) or service.socket(…) makes')
  }
  const { by } = value
  if (isRecord(by) && by['kind'] === 'command') {
    if (!isArgv(by['argv']))
      return wrong([...path, 'by', 'argv'], 'an argument vector: a program, then its arguments')
  } else if (isRecord(by) && by['kind'] === 'socket') {
    if (!isSocketPath(by['path']))
      return wrong([...path, 'by', 'path'], 'an absolute path of at most 107 bytes')
  } else {
    return wrong([...path, 'by'], 'a command or a socket')
  }
  return below([...path, 'service'], faultOfService(value['service']))
}

const isSocketPath = (path: unknown) =>
  typeof path === 'string' &&
  path.startsWith('/') &&
  !path.includes('\0') &&
  Buffer.byteLength(path) <= MAX_SOCKET_PATH
