import type { DoctorPowers, Finding } from '../doctor.js'

/** What a unit cannot boot, be reached or see its store without. */
const features = ['virtio_pci', 'virtio_console', 'virtio_pmem', 'nd_pmem', 'erofs'] as const

/** Whether there is a guest kernel, and whether it can carry a unit, by its own module lists. */
export async function checkKernel(powers: DoctorPowers): Promise<Finding> {
  const subject = 'guest kernel'
  const { kernel, modules } = powers.places
  const remedy =
    'spectrum fetch-kernel fetches one; or name one with SPECTRUM_KERNEL and SPECTRUM_KERNEL_MODULES'
  if (!(await powers.exists(kernel)))
    return { subject, verdict: 'missing', found: `none at ${kernel}`, remedy }
  const [dependencies, builtin] = await Promise.all([
    powers.read(`${modules}/modules.dep`),
    powers.read(`${modules}/modules.builtin`),
  ])
  if (dependencies === undefined) {
    return {
      subject,
      verdict: 'missing',
      found: `${kernel}, but no ${modules}/modules.dep`,
      remedy: 'run depmod -b ROOT RELEASE, where ROOT holds lib/modules/RELEASE',
    }
  }
  const present = new Set([...moduleNames(dependencies), ...moduleNames(builtin ?? '')])
  const absent = features.filter((feature) => !present.has(feature))
  const release = modules.split('/').at(-1) ?? ''
  if (absent.length === 0) return { subject, verdict: 'ok', found: `${release} with ${features.join(', ')}` }
  return {
    subject,
    verdict: 'missing',
    found: `${release} lacks ${absent.join(', ')}`,
    remedy: `take a kernel that has them, as Debian's cloud kernel does: ${remedy}`,
  }
}

/** `kernel/fs/erofs/erofs.ko: …` → `erofs`; `-` and `_` are the same to the kernel. */
function moduleNames(list: string): string[] {
  return list
    .split('\n')
    .flatMap((line) => /([^/:]+)\.ko(?:\.\w+)?(?::|$)/.exec(line)?.[1]?.replaceAll('-', '_') ?? [])
}
