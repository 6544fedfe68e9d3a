import type { Topic } from '../arguments.js'
import { graphForms } from '../graph/command.js'
import { architectureNames } from '../words.js'
import { shells } from './scripts.js'

/** What may stand in a place of the command line. */
export type Place = 'file' | 'unit' | 'host' | 'anything' | readonly string[]

export interface Grammar {
  readonly about: string
  /** By every name that an option has; `undefined`: it takes nothing. */
  readonly options: Readonly<Record<string, Place | undefined>>
  readonly places: readonly Place[]
  /** What stands in every place after the last. */
  readonly more?: Place
}

const help = { '--help': undefined, '-h': undefined } as const
const json = { '--json': undefined } as const
const host = { '--host': 'host' } as const
const command = {
  '--env': 'anything',
  '--timeout': 'anything',
  '-i': undefined,
  '--interactive': undefined,
  '--raw': undefined,
} as const

/** Every command, as it may be typed. What it does with it, its parser says. */
export const grammar: Readonly<Record<Exclude<Topic, 'spectrum'>, Grammar>> = {
  up: {
    about: 'start the units of a graph and stay with them',
    options: { ...help, ...json, '--grace': 'anything', '--arch': architectureNames },
    places: ['file'],
  },
  ps: { about: 'units that run', options: { ...help, ...json, ...host }, places: [] },
  exec: {
    about: 'run a command in a unit',
    options: { ...help, ...host, ...command, '-t': undefined, '--tty': undefined, '--cwd': 'anything' },
    places: ['unit'],
  },
  inject: {
    about: 'add software to a unit that runs',
    options: { ...help, ...json, ...host, '--timeout': 'anything' },
    places: ['unit'],
    more: 'file',
  },
  logs: {
    about: 'what units have said',
    options: {
      ...help,
      ...json,
      ...host,
      '-f': undefined,
      '--follow': undefined,
      '-n': 'anything',
      '--lines': 'anything',
    },
    places: ['unit'],
  },
  stop: {
    about: 'stop a unit, or a host',
    options: { ...help, ...json, ...host, '--grace': 'anything' },
    places: ['unit'],
  },
  gc: {
    about: 'remove cached files that nobody uses',
    options: { ...help, ...json, '--dry-run': undefined },
    places: [],
  },
  run: {
    about: 'start one unit, run one command in it, remove the unit',
    options: {
      ...help,
      ...command,
      '--closure': 'file',
      '--memory': 'anything',
      '--arch': architectureNames,
    },
    places: [],
  },
  'fetch-kernel': { about: 'fetch the kernel that units boot', options: help, places: [] },
  doctor: { about: 'what this machine can do', options: { ...help, ...json }, places: [] },
  graph: { about: 'who may call what', options: { ...help, '--as': graphForms }, places: ['file'] },
  explain: {
    about: 'how one unit can reach another',
    options: { ...help, ...json },
    places: ['file', 'anything', 'anything'],
  },
  'who-can': { about: 'who may call a service', options: { ...help, ...json }, places: ['file', 'anything'] },
  authority: { about: 'all that a unit may do', options: { ...help, ...json }, places: ['file', 'anything'] },
  diff: {
    about: 'what changes from one graph to another',
    options: { ...help, ...json },
    places: ['file', 'file'],
  },
  completion: { about: 'completion for a shell', options: help, places: [shells] },
}
