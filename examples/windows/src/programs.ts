import { type Programs as DebianPrograms, debianPrograms } from '../../debian-programs/src/debian-programs.js'

/** Programs with windows, in one store path. */
export interface Programs extends DebianPrograms {
  /** What they need to find what came along. */
  readonly env: Readonly<Record<string, string>>
}

/** What keys are called. */
const KEYBOARDS = { from: '/usr/share/X11/xkb', to: 'share/xkb' }

/** Programs with windows (absolute paths), as this machine has them. */
export async function windowPrograms(programs: readonly string[]): Promise<Programs> {
  const found = await debianPrograms('windows', programs, { data: [KEYBOARDS] })
  return { ...found, env: { XKB_CONFIG_ROOT: `${found.path}/${KEYBOARDS.to}` } }
}
