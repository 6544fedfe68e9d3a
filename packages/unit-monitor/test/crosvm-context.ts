import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { type CrosvmOptions, type CrosvmPowers, crosvmMonitor } from '@spectrum/unit-monitor'
import { linuxCrosvmPowers, linuxPowers } from '@spectrum/unit-monitor/linux'
import { qemuWorkshop, type Workshop } from './qemu-context.js'
import { crosvmViewServer, serveView } from './served-view.js'

export interface CrosvmWorkshop extends Workshop {
  readonly powers: Workshop['powers'] & CrosvmPowers
}

/** The crosvm of this machine, `CROSVM` or the first on the search path, or why there is none. */
export function findCrosvm(): { readonly binary: string } | { readonly missing: string } {
  const named = process.env['CROSVM']
  if (named !== undefined && named !== '') return { binary: named }
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    try {
      accessSync(`${directory}/crosvm`, constants.X_OK)
      return { binary: `${directory}/crosvm` }
    } catch {
      // not here: the next directory
    }
  }
  return { missing: 'no crosvm: neither CROSVM nor the search path names one' }
}

export function crosvmWorkshop(kernel: string, initramfs: string, options: CrosvmOptions): CrosvmWorkshop {
  const workshop = qemuWorkshop(kernel, initramfs)
  let views = 0
  const powers = linuxCrosvmPowers(workshop.powers)._unsafeUnwrap()
  return {
    ...workshop,
    powers: { ...powers, files: workshop.powers.files },
    // In the lab a device process costs a tenth of a second, and each byte on the console a millisecond.
    bootMs: 110_000,
    monitor: crosvmMonitor(powers, options),
    view: () =>
      serveView(
        linuxPowers().processes,
        crosvmViewServer(options.binary ?? 'crosvm'),
        join(workshop.directory, `view-${++views}`),
      ),
    async leftovers() {
      const groups = await Promise.all(workshop.spawned.map((pid) => powers.processGroups.members(pid)))
      const jailed = groups.flat().map(({ pid, name }) => `process ${pid} ${name}`)
      return [...jailed, ...(await workshop.leftovers())]
    },
  }
}
