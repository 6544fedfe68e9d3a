// Builds the addon for this machine: `node native/build.mjs [--sanitize] [--force]`.
import { buildAddon } from '../../cli/setup/build-addon.mjs'

buildAddon(import.meta.url, process.argv.slice(2))
