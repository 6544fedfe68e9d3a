import { fileURLToPath } from 'node:url'
import type { Data, Programs } from './debian-programs.js'

/** Letters, for programs that draw some. */
export const FONTS: readonly Data[] = [
  { from: '/usr/share/fonts/truetype/dejavu', to: 'share/fonts/truetype' },
  { from: fileURLToPath(new URL('../fonts.conf', import.meta.url)), to: 'share/fonts/fonts.conf' },
]

/** What those programs need to find them. */
export const fontEnvironment = ({ path }: Programs) => ({ FONTCONFIG_FILE: `${path}/share/fonts/fonts.conf` })
