import type { DoctorPowers, Finding } from '../doctor.js'

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

export async function checkQemu(powers: DoctorPowers, signal: AbortSignal): Promise<Finding> {
  const subject = 'QEMU'
  const line = await powers.firstLine('qemu-system-x86_64', ['--version'], signal)
  const version = /version (\S+)/.exec(line ?? '')?.[1]
  if (version !== undefined) return { subject, verdict: 'ok', found: `qemu-system-x86_64 ${version}` }
  return {
    subject,
    verdict: 'missing',
    found: 'no qemu-system-x86_64 on the search path',
    remedy: 'apt-get install qemu-system-x86',
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
