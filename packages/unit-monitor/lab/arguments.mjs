import { architectures } from './architectures.mjs'

const known = Object.keys(architectures)

export const usage = `usage: npm run lab -- ${known.join('|')} [OPTION…] -- COMMAND [ARGUMENT…]

Runs COMMAND as root in an emulated machine whose /dev/kvm works, on this checkout, with this machine's
software (where the architecture is another: with a Node of that architecture, and what is compiled for it). Everything can be written there and nothing of it stays. Standard input is closed; standard
output, standard error and the exit status are those of COMMAND.

  --timeout SECONDS   end everything after so long (default 600)
  --memory MIB        memory of the emulated machine (default 4096)
  --vcpus N           its processors (default 2)
  --env NAME=VALUE    set a variable for COMMAND; SPECTRUM_* variables pass through anyway
  --kernel-log        print the kernel log of the machine at the end, also on success

Exit status: 124 at the timeout, 125 when the lab itself failed, 128 + N when COMMAND died of signal N.`

const limits = {
  '--timeout': { name: 'timeoutSeconds', least: 1, most: 86_400 },
  '--memory': { name: 'memoryMib', least: 512, most: 1_048_576 },
  '--vcpus': { name: 'vcpus', least: 1, most: 64 },
}

/**
 * Reads the command line. Answers `{ options }` or `{ problem }`, never both.
 *
 * @param {readonly string[]} argv
 */
export function parseArguments(argv) {
  const options = {
    architecture: '',
    timeoutSeconds: 600,
    memoryMib: 4096,
    vcpus: 2,
    kernelLog: false,
    /** @type {string[]} */ environment: [],
    /** @type {string[]} */ command: [],
  }
  const split = argv.indexOf('--')
  const before = split < 0 ? argv : argv.slice(0, split)
  options.command = split < 0 ? [] : argv.slice(split + 1)

  for (let i = 0; i < before.length; i++) {
    const word = before[i]
    if (word in limits) {
      const { name, least, most } = limits[word]
      const value = before[++i] ?? ''
      if (!/^\d{1,9}$/.test(value) || Number(value) < least || Number(value) > most)
        return { problem: `${word} wants a whole number from ${least} to ${most}, got "${value}"` }
      options[name] = Number(value)
    } else if (word === '--env') {
      const value = before[++i] ?? ''
      if (!/^[A-Za-z_][A-Za-z0-9_]*=/.test(value))
        return { problem: `--env wants NAME=VALUE, got "${value}"` }
      options.environment.push(value)
    } else if (word === '--kernel-log') options.kernelLog = true
    else if (word.startsWith('-')) return { problem: `unknown option ${word}` }
    else if (options.architecture)
      return { problem: `put -- before the command: "${word}" is one word too many` }
    else options.architecture = word
  }
  if (!options.architecture) return { problem: `name the architecture of the lab: ${known.join(', ')}` }
  if (!known.includes(options.architecture))
    return { problem: `there is no lab for "${options.architecture}", only for ${known.join(', ')}` }
  if (options.command.length === 0 || options.command[0] === '')
    return { problem: 'name the command to run, after --' }
  return { options }
}
