import type { ExecOutcome } from '@spectrum/unit-runtime'

// The numbers that x86, ARM, POWER and RISC-V share (asm-generic/signal.h).
const signals: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
}

/** The number of a signal by its name; 0 for one that this machine has no number for. */
export function signalNumber(name: string): number {
  const realTime = /^SIG(?:RT)?(\d{1,2})$/.exec(name)?.[1]
  return signals[name] ?? (realTime === undefined ? 0 : Number(realTime))
}

/** What `env`, `nohup`, `timeout` and shells return in the same cases. */
export function exitStatus(outcome: ExecOutcome): number {
  switch (outcome.kind) {
    case 'exited':
      return outcome.code
    case 'signalled':
      return 128 + signalNumber(outcome.signal)
    case 'oom':
      return 128 + signalNumber('SIGKILL')
    case 'timed-out':
      return 124
    case 'not-started':
      if (outcome.reason === 'not-found') return 127
      return outcome.reason === 'not-executable' || outcome.reason === 'permission' ? 126 : 125
    case 'cancelled':
    case 'unit-lost':
      return 125
  }
}
