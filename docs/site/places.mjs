import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Where the site lies once it is built. */
export const output = join(root, 'docs', 'build', 'site')
