import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { lastLines, Problem, remedyFor, run } from './commands.mjs'
import { downloadFromDebian, foreignDependencies } from './foreign-debian.mjs'
import { kernels, unpackKernel } from './guest-kernel.mjs'
import { abandoned, cache, root, temporaryName } from './places.mjs'

/**
 * What units of other architectures boot: a kernel of Debian's in the cache, where `openHost({ architecture })` looks
 * for it, and the agent. The programs that run and compile them are among the tests' Debian packages.
 *
 * Bookworm's own kernel for POWER has pages of 64 KiB, on which Linux before 6.4 mounts no erofs with blocks of 4 KiB,
 * as the store has them. The one in its backports has pages of 4 KiB.
 */
const guests = [
  { architecture: 'aarch64', node: 'arm64', sharedWithLab: 'aarch64' },
  {
    architecture: 'powerpc64le',
    node: 'ppc64',
    debian: 'ppc64el',
    suites: ['bookworm-backports'],
    kernel: 'linux-image-powerpc64le',
  },
].filter(({ node }) => node !== process.arch)

const kernelPlace = ({ architecture }) => join(kernels, architecture)
const agentPackage = join(root, 'packages/guest-agent')

function hasKernel(guest) {
  const place = kernelPlace(guest)
  const modules = join(place, 'lib/modules')
  const [release] = existsSync(modules) ? readdirSync(modules) : []
  const images = ['vmlinuz', 'vmlinux'].map((name) => join(place, 'boot', `${name}-${release}`))
  return release !== undefined && images.some((image) => existsSync(image))
}

/** Built after its newest source. */
function hasAgent({ architecture }) {
  const agent = statSync(join(agentPackage, 'prebuilds', architecture, 'agent'), { throwIfNoEntry: false })
  const sources = join(agentPackage, 'agent')
  return (
    agent !== undefined &&
    readdirSync(sources).every((name) => statSync(join(sources, name)).mtimeMs <= agent.mtimeMs)
  )
}

/** Comes after the labs, with one of which it shares a kernel. */
export const foreignGuests = {
  name: 'kernels and agents for units of other architectures',

  missing: () => [
    ...guests
      .filter((guest) => !hasKernel(guest))
      .map((guest) => ({ what: `kernel for ${guest.architecture}`, why: `into ${kernels}` })),
    ...guests
      .filter((guest) => !hasAgent(guest))
      .map((guest) => ({
        what: `agent for ${guest.architecture}`,
        why: 'C that has changed or was never compiled here',
      })),
  ],

  async install(_missing, { signal, say }) {
    mkdirSync(kernels, { recursive: true })
    for (const guest of guests) {
      if (!hasKernel(guest)) {
        if (guest.sharedWithLab) shareKernel(guest)
        else await obtainKernel(guest, { signal, say })
      }
      if (!hasAgent(guest)) await buildAgent(guest, signal)
    }
  },
}

/** The kernel of a lab is there already. */
function shareKernel(guest) {
  const place = kernelPlace(guest)
  if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) rmSync(place, { recursive: true })
  symlinkSync(join(cache, 'lab-kernel', guest.sharedWithLab), place)
}

async function obtainKernel(guest, { signal, say }) {
  const { suites, debian, kernel } = guest
  for (const name of abandoned(kernels)) rmSync(join(kernels, name), { recursive: true, force: true })
  const building = join(kernels, temporaryName())
  mkdirSync(building)
  try {
    const needed = await foreignDependencies({ suites, architecture: debian, name: kernel, signal, say })
    const name = needed.find((dependency) => /^linux-image-\d/.test(dependency))
    if (name === undefined)
      throw new Problem(`apt knows no ${kernel} for ${debian}`, 'check the network, then run this again')
    await downloadFromDebian({ suites, architecture: debian, names: [name], into: building, signal, say })
    const deb = readdirSync(building).find((file) => file.endsWith('.deb'))
    const release = name.replace(/^linux-image-/, '')
    await unpackKernel(join(building, deb), { release, image: `vmlinux-${release}`, building, signal })
    const place = kernelPlace(guest)
    if (existsSync(place)) renameSync(place, join(building, 'replaced'))
    renameSync(join(building, 'kernel'), place)
    say(`  ${release} for units of ${guest.architecture}`)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
}

async function buildAgent({ architecture }, signal) {
  const outcome = await run(process.execPath, ['build-agent.mjs', architecture], {
    cwd: agentPackage,
    signal,
  })
  if (outcome.code !== 0)
    throw new Problem(
      `packages/guest-agent/build-agent.mjs ${architecture} failed`,
      remedyFor(outcome.both, 'the compiler says why above'),
      lastLines(outcome.both, 30),
    )
}
