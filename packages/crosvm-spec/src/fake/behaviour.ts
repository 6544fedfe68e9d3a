import type { CrosvmMachine } from '../machine.js'

/**
 * How a fake crosvm behaves. All of it is told through kernel parameters, which every driver can pass. MS are
 * milliseconds, NAME is a request by crosvm's own name; parameters with a NAME may be given several times.
 */
export interface FakeBehaviour {
  /** `fake-crosvm.slow-start=MS`: the socket is there at once, answers come after this, as with the real one. */
  readonly slowStartMs: number
  /** `fake-crosvm.late-socket=MS`: the socket itself appears only after this. */
  readonly lateSocketMs: number
  /** `fake-crosvm.no-reply=NAME`: requests of this name, such as VcpuPidTid, are never answered. */
  readonly noReply: readonly string[]
  /** `fake-crosvm.malformed=NAME`: they are answered with what is no reply. */
  readonly malformed: readonly string[]
  /** `fake-crosvm.disconnect=NAME`: they close the connection. */
  readonly disconnect: readonly string[]
  /** `fake-crosvm.error=NAME`: they are answered with ENODEV. */
  readonly error: readonly string[]
  /** `fake-crosvm.wrong=NAME`: they are answered with another request's answer. */
  readonly wrong: readonly string[]
  /** `fake-crosvm.extra-descriptor=NAME`: a descriptor comes along that does not belong there. */
  readonly extraDescriptor: readonly string[]
  /** `fake-crosvm.late=NAME`: they are answered after 200 ms. */
  readonly late: readonly string[]
  /** `fake-crosvm.exit=STATUS@MS`: ends with this status after so long. */
  readonly exit: { readonly status: number; readonly afterMs: number } | undefined
  /** `fake-crosvm.signal=NAME@MS`: ends by this signal after so long. */
  readonly signal: { readonly name: string; readonly afterMs: number } | undefined
}

const PREFIX = 'fake-crosvm.'

/**
 * What the kernel parameters of this machine tell a fake crosvm to do; nothing out of order where they tell
 * nothing.
 */
export function fakeBehaviour(machine: CrosvmMachine): FakeBehaviour {
  const told = (machine.params ?? []).filter((param) => param.startsWith(PREFIX))
  const all = (key: string) =>
    told
      .filter((param) => param.startsWith(`${PREFIX}${key}=`))
      .map((param) => param.slice(PREFIX.length + key.length + 1))
  const [exit] = all('exit').map((word) => /^([0-9]+)@([0-9]+)$/.exec(word))
  const [signal] = all('signal').map((word) => /^(SIG[A-Z]+)@([0-9]+)$/.exec(word))
  return {
    slowStartMs: Number(all('slow-start')[0] ?? 0),
    lateSocketMs: Number(all('late-socket')[0] ?? 0),
    noReply: all('no-reply'),
    malformed: all('malformed'),
    disconnect: all('disconnect'),
    error: all('error'),
    wrong: all('wrong'),
    extraDescriptor: all('extra-descriptor'),
    late: all('late'),
    exit: exit ? { status: Number(exit[1]), afterMs: Number(exit[2]) } : undefined,
    signal: signal ? { name: signal[1]!, afterMs: Number(signal[2]) } : undefined,
  }
}
