import { refuse } from '../grammar/refusal.js'
import { choice } from '../grammar/scalar.js'
import { wholeInteger, wholePath, wholeText } from '../grammar/separated.js'
import type { Balloon, Draft, Protection, Sandbox, Start } from '../machine.js'
import { one, switched, toggle, within } from './bind.js'
import type { Option } from './option.js'
import { ASYNC_EXECUTORS } from './storage.js'

const balloon = { features: ['balloon'] } as const

/** Which properties each kind of a union has: what a type says and run time must check. */
function checkKind<T extends { readonly kind: string }>(
  value: T | undefined,
  kinds: Readonly<Record<T['kind'], readonly string[]>>,
): void {
  if (value === undefined) return
  const allowed = Object.hasOwn(kinds, value.kind) ? kinds[value.kind as T['kind']] : undefined
  if (!allowed) refuse(`kind must be one of ${Object.keys(kinds).join(', ')}`)
  for (const property of Object.keys(value)) {
    if (property !== 'kind' && !allowed.includes(property))
      refuse(`'${value.kind}' has no property '${property}'`)
  }
}

function presentBalloon(draft: Draft): Extract<Balloon, { kind: 'present' }> | undefined {
  return draft.balloon?.kind === 'present' ? draft.balloon : undefined
}

function putBalloon(draft: Draft, value: Omit<Extract<Balloon, { kind: 'present' }>, 'kind'>): void {
  if (draft.balloon?.kind === 'absent')
    refuse('there is no balloon: drop no-balloon, or what sets the balloon up')
  draft.balloon = { kind: 'present', ...draft.balloon, ...value }
}

const BALLOON_KINDS = {
  absent: [],
  present: [
    'biasMib',
    'control',
    'pageReporting',
    'workingSetReporting',
    'workingSetBins',
    'initialMemoryMib',
  ],
}

export const balloonOptions: readonly Option<Draft>[] = [
  switched(
    'no-balloon',
    'balloon',
    (draft) => {
      checkKind(draft.balloon, BALLOON_KINDS)
      return draft.balloon?.kind === 'absent'
    },
    (draft) => {
      if (draft.balloon?.kind === 'present') refuse('the balloon was set up already: drop one of the two')
      draft.balloon = { kind: 'absent' }
    },
    balloon,
  ),
  within(
    'balloon-bias-mib',
    'balloon.biasMib',
    wholeInteger(-(2 ** 30), 2 ** 30, 64),
    (draft) => presentBalloon(draft)?.biasMib,
    (draft, biasMib) => putBalloon(draft, { biasMib }),
    balloon,
  ),
  within(
    'balloon-control',
    'balloon.control',
    wholePath('control'),
    (draft) => presentBalloon(draft)?.control,
    (draft, control) => putBalloon(draft, { control }),
    balloon,
  ),
  switched(
    'balloon-page-reporting',
    'balloon.pageReporting',
    (draft) => presentBalloon(draft)?.pageReporting ?? false,
    (draft) => putBalloon(draft, { pageReporting: true }),
    balloon,
  ),
  switched(
    'balloon-ws-reporting',
    'balloon.workingSetReporting',
    (draft) => presentBalloon(draft)?.workingSetReporting ?? false,
    (draft) => putBalloon(draft, { workingSetReporting: true }),
    balloon,
  ),
  within(
    'balloon-ws-num-bins',
    'balloon.workingSetBins',
    wholeInteger(0, 255),
    (draft) => presentBalloon(draft)?.workingSetBins,
    (draft, workingSetBins) => putBalloon(draft, { workingSetBins }),
    balloon,
  ),
  within(
    'init-mem',
    'balloon.initialMemoryMib',
    wholeInteger(0, 2 ** 30, 64),
    (draft) => presentBalloon(draft)?.initialMemoryMib,
    (draft, initialMemoryMib) => putBalloon(draft, { initialMemoryMib }),
    balloon,
  ),
]

function putProtection(draft: Draft, protection: Protection): void {
  if (draft.protection !== undefined) refuse('a machine has one protection mode: drop the others')
  draft.protection = protection
  // crosvm leaves both out of such a machine without a word.
  draft.usb = false
  draft.rng = false
}

function protection(kind: 'protected' | 'protected-without-firmware', name: string): Option<Draft> {
  return switched(
    name,
    'protection',
    (draft) => {
      checkKind(draft.protection, PROTECTION_KINDS)
      return draft.protection?.kind === kind
    },
    (draft) => putProtection(draft, { kind }),
  )
}

const PROTECTION_KINDS: Record<Protection['kind'], readonly string[]> = {
  protected: [],
  'protected-with-firmware': ['firmware'],
  'protected-without-firmware': [],
  'unprotected-with-firmware': ['firmware'],
}

function firmware(
  kind: 'protected-with-firmware' | 'unprotected-with-firmware',
  name: string,
): Option<Draft> {
  return within(
    name,
    'protection.firmware',
    wholePath('firmware'),
    (draft) => (draft.protection?.kind === kind ? draft.protection.firmware : undefined),
    (draft, path) => putProtection(draft, { kind, firmware: path }),
  )
}

export const protectionOptions: readonly Option<Draft>[] = [
  protection('protected', 'protected-vm'),
  protection('protected-without-firmware', 'protected-vm-without-firmware'),
  firmware('protected-with-firmware', 'protected-vm-with-firmware'),
  firmware('unprotected-with-firmware', 'unprotected-vm-with-firmware'),
]

type Jailed = Extract<Sandbox, { kind: 'jailed' }>
type Unjailed = Extract<Sandbox, { kind: 'disabled' }>

const jailed = (draft: Draft): Jailed | undefined =>
  draft.sandbox?.kind === 'jailed' ? draft.sandbox : undefined

function putJail(draft: Draft, value: Omit<Jailed, 'kind'>): void {
  if (draft.sandbox?.kind === 'disabled')
    refuse('the sandbox is disabled: drop disable-sandbox, or what configures it')
  draft.sandbox = { kind: 'jailed', ...draft.sandbox, ...value }
}

function putUnjailed(draft: Draft, value: Omit<Unjailed, 'kind'>): void {
  if (draft.sandbox?.kind === 'jailed') refuse('the sandbox was configured: drop that, or disable-sandbox')
  draft.sandbox = { kind: 'disabled', ...draft.sandbox, ...value }
}

export const sandboxOptions: readonly Option<Draft>[] = [
  switched(
    'disable-sandbox',
    'sandbox',
    (draft) => {
      checkKind(draft.sandbox, { jailed: ['pivotRoot', 'seccomp'], disabled: ['unmapGuestMemoryOnFork'] })
      return draft.sandbox?.kind === 'disabled'
    },
    (draft) => putUnjailed(draft, {}),
  ),
  switched(
    'unmap-guest-memory-on-fork',
    'sandbox.unmapGuestMemoryOnFork',
    (draft) => draft.sandbox?.kind === 'disabled' && draft.sandbox.unmapGuestMemoryOnFork === true,
    (draft) => putUnjailed(draft, { unmapGuestMemoryOnFork: true }),
  ),
  within(
    'pivot-root',
    'sandbox.pivotRoot',
    wholePath('pivotRoot'),
    (draft) => jailed(draft)?.pivotRoot,
    (draft, pivotRoot) => putJail(draft, { pivotRoot }),
  ),
  within(
    'seccomp-policy-dir',
    'sandbox.seccomp.policyDirectory',
    wholePath('policyDirectory'),
    (draft) => jailed(draft)?.seccomp?.policyDirectory,
    (draft, policyDirectory) => putJail(draft, { seccomp: { ...jailed(draft)?.seccomp, policyDirectory } }),
  ),
  switched(
    'seccomp-log-failures',
    'sandbox.seccomp.logFailures',
    (draft) => jailed(draft)?.seccomp?.logFailures ?? false,
    (draft) => {
      const policyDirectory = jailed(draft)?.seccomp?.policyDirectory ?? ''
      putJail(draft, { seccomp: { policyDirectory, logFailures: true } })
    },
  ),
]

function putStart(draft: Draft, start: Start): void {
  if (draft.start !== undefined && draft.start.kind !== start.kind) {
    refuse(`a machine starts in one way: drop ${draft.start.kind} or ${start.kind}`)
  }
  draft.start = start
}

function waiting(kind: 'suspended' | 'suspended-vcpus'): Option<Draft> {
  return switched(
    kind,
    'start',
    (draft) => {
      checkKind(draft.start, { suspended: [], 'suspended-vcpus': [], gdb: ['port'] })
      return draft.start?.kind === kind
    },
    (draft) => putStart(draft, { kind }),
  )
}

export const lifeOptions: readonly Option<Draft>[] = [
  waiting('suspended'),
  waiting('suspended-vcpus'),
  within(
    'gdb',
    'start.port',
    wholeInteger(1, 65_535, 32),
    (draft) => (draft.start?.kind === 'gdb' ? draft.start.port : undefined),
    (draft, port) => putStart(draft, { kind: 'gdb', port }),
    { features: ['gdb'] },
  ),
  one('restore', 'restore', wholePath('restore')),
  one('socket', 'socket', wholePath('socket'), { short: 's' }),
  one('name', 'name', wholeText('name', 15)),
  one('async-executor', 'asyncExecutor', choice(ASYNC_EXECUTORS)),
  toggle('hugepages', 'hugepages', true),
  toggle('lock-guest-memory', 'lockGuestMemory', true),
  toggle('force-disable-readonly-mem', 'readOnlyMemorySlots', false),
  one('swap', 'swapDirectory', wholePath('swapDirectory'), { features: ['swap'] }),
  one('swiotlb', 'swiotlbMib', wholeInteger(0, 2 ** 30, 64), { architectures: ['aarch64'] }),
  one('pci-hotplug-slots', 'pciHotplugSlots', wholeInteger(0, 255), {
    features: ['pci-hotplug'],
    architectures: ['x86_64'],
  }),
]

/** Shapes of the options before `run`. */
export const globalShapes = { level: wholeText('level'), tag: wholeText('syslogTag') }
