import type { CrosvmMachine } from '../machine.js'
import { complain, type Rule } from './rule.js'

/** sockaddr_un.sun_path less the terminating zero. */
const LONGEST_SOCKET = 107

function hostSockets(machine: CrosvmMachine): readonly (readonly [property: string, path: string])[] {
  const { socket, balloon, vhostUser = [], waylandSockets = [], serial = [], viosSound } = machine
  const control = balloon?.kind === 'present' ? balloon.control : undefined
  const ports = serial.filter(({ type }) => type === 'unix' || type === 'unix-stream')
  return (
    [
      ['socket', socket],
      ['balloon.control', control],
      ['viosSound', viosSound],
      ...vhostUser.map((device) => ['vhostUser.socket', device.socket]),
      ...waylandSockets.map((wayland) => ['waylandSockets.path', wayland.path]),
      ...ports.map((port) => ['serial.path', port.path]),
    ] as [string, string | undefined][]
  ).flatMap(([property, path]) => (path === undefined ? [] : [[property, path] as const]))
}

export const socketPathsFit: Rule = (machine) =>
  hostSockets(machine)
    .filter(([, path]) => Buffer.byteLength(path) > LONGEST_SOCKET)
    .map(([property]) =>
      complain(property, `a socket's path has at most ${LONGEST_SOCKET} bytes: use a shorter directory`),
    )

const PROC_FD = /^\/proc\/self\/fd\/([0-9]+)$/

/**
 * The inherited descriptors that a machine names by /proc/self/fd/N, each as often as it is named. Not those of
 * `tapFd`.
 */
export function namedDescriptors(machine: unknown): readonly number[] {
  if (typeof machine === 'string') {
    const found = PROC_FD.exec(machine)
    return found ? [Number(found[1])] : []
  }
  if (typeof machine !== 'object' || machine === null) return []
  return Object.values(machine).flatMap(namedDescriptors)
}

export const descriptorsDiffer: Rule = (machine) => {
  const taps = (machine.net ?? []).flatMap(({ backend }) =>
    backend.kind === 'tap-fd' ? [backend.tapFd] : [],
  )
  const all = [...namedDescriptors(machine), ...taps]
  const twice = all.find((fd, index) => all.indexOf(fd) !== index)
  return twice === undefined
    ? undefined
    : complain(
        '/proc/self/fd',
        `descriptor ${twice} is used twice and would share one file offset: duplicate it`,
      )
}
