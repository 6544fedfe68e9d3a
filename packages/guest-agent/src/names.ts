import { getSystemErrorName } from 'node:util'

const signalNames =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
    .split(' ')
    .map((name) => `SIG${name}`)

/** Linux's name of a signal by number (signal(7), the numbers x86, ARM, POWER and RISC-V share). */
export function signalName(number: number): string {
  const name = signalNames[number - 1]
  if (name !== undefined) return name
  return number >= 34 && number <= 64 ? `SIGRTMIN+${number - 34}` : `signal ${number}`
}

/** Those that Node has no name for and file systems say (the numbers x86, ARM, POWER and RISC-V share). */
const unnamed: Readonly<Record<number, string>> = { 76: 'ENOTUNIQ', 117: 'EUCLEAN', 122: 'EDQUOT' }

/** Linux's name of an errno, or `undefined` for 0. */
export function errnoName(errno: number): string | undefined {
  if (errno === 0) return undefined
  if (errno > 4_095) return `errno ${errno}`
  const name = unnamed[errno] ?? (getSystemErrorName(-errno) as string | undefined)
  return name === undefined || name.startsWith('Unknown') ? `errno ${errno}` : name
}
