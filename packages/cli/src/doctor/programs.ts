import type { DoctorPowers, Finding } from '../doctor.js'
import type { Architecture } from '../words.js'

/** The versions that `engines` of every package names. */
export async function checkNode({ nodeVersion }: Pick<DoctorPowers, 'nodeVersion'>): Promise<Finding> {
  const subject = 'Node'
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  const supported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24
  if (supported) return { subject, verdict: 'ok', found: nodeVersion }
  return {
    subject,
    verdict: 'missing',
    found: nodeVersion,
    remedy: 'install Node 20.19 or newer, 22.12 or newer, or 24',
  }
}

/** By architecture of units: the program that runs them, and Debian's package of it. */
const QEMU: Readonly<Record<Architecture, { readonly program: string; readonly package: string }>> = {
  x86_64: { program: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  aarch64: { program: 'qemu-system-aarch64', package: 'qemu-system-arm' },
  powerpc64le: { program: 'qemu-system-ppc64', package: 'qemu-system-ppc' },
}

/** The QEMU for units of this architecture; without a version when it cannot be run. */
export async function qemuVersion(
  powers: Pick<DoctorPowers, 'firstLine'>,
  architecture: Architecture,
  signal: AbortSignal,
): Promise<{ readonly program: string; readonly package: string; readonly version: string | undefined }> {
  const qemu = QEMU[architecture]
  const line = await powers.firstLine(qemu.program, ['--version'], signal)
  return { ...qemu, version: /version (\S+)/.exec(line ?? '')?.[1] }
}

export async function checkQemu(powers: DoctorPowers, signal: AbortSignal): Promise<Finding> {
  const subject = 'QEMU'
  const { program, version, ...qemu } = await qemuVersion(powers, powers.architecture, signal)
  if (version !== undefined) return { subject, verdict: 'ok', found: `${program} ${version}` }
  return {
    subject,
    verdict: 'missing',
    found: `no ${program} on the search path`,
    remedy: `apt-get install ${qemu.package}`,
  }
}

export async function checkNix(powers: DoctorPowers, signal: AbortSignal): Promise<Finding> {
  const subject = 'Nix store'
  const [store, line] = await Promise.all([
    powers.exists('/nix/store'),
    powers.firstLine('nix-store', ['--version'], signal),
  ])
  const version = /\) (\S+)/.exec(line ?? '')?.[1]
  if (version === undefined) {
    return {
      subject,
      verdict: 'missing',
      found: `no nix-store on the search path${store ? ', though /nix/store exists' : ''}`,
      remedy: 'apt-get install nix-bin, or put your Nix on the search path',
    }
  }
  if (store) return { subject, verdict: 'ok', found: `/nix/store, Nix ${version}` }
  return {
    subject,
    verdict: 'limited',
    found: `Nix ${version}, but no /nix/store yet`,
    remedy: 'build something with Nix: the store appears with its first path',
  }
}

export async function checkErofs(powers: DoctorPowers, signal: AbortSignal): Promise<Finding> {
  const subject = 'erofs-utils'
  const line = await powers.firstLine('fsck.erofs', ['-V'], signal)
  const version = /([0-9]+(?:\.[0-9]+)+)/.exec(line ?? '')?.[1]
  if (version !== undefined) return { subject, verdict: 'ok', found: `fsck.erofs ${version}` }
  return {
    subject,
    verdict: 'limited',
    found: 'no fsck.erofs on the search path; units run, but images cannot be checked',
    remedy: 'apt-get install erofs-utils',
  }
}
