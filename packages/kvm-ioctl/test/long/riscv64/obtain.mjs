// Brings what the riscv64 machine is made of from Debian into a folder: `node obtain.mjs FOLDER`. Its kernel (`Image`),
// kvm.ko, and `root` with Debian's Node for riscv64: npm has none.
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../../../../cli/setup/commands.mjs'
import { downloadFromDebian, foreignDependencies } from '../../../../cli/setup/foreign-debian.mjs'
import { temporaryName } from '../../../../cli/setup/places.mjs'

const place = process.argv[2]
const from = { suites: ['trixie'], architecture: 'riscv64' }
const parent = dirname(place)
mkdirSync(parent, { recursive: true })
const building = join(parent, temporaryName())
const [packages, kernel, root] = ['packages', 'kernel', 'root'].map((name) => join(building, name))
for (const folder of [packages, kernel, root]) mkdirSync(folder, { recursive: true })

const must = async (program, argv) => {
  const { code, both } = await run(program, argv, { deadlineMs: 300_000 })
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${both}`)
}

try {
  const [image] = await foreignDependencies({ ...from, name: 'linux-image-riscv64' })
  const needed = new Set(['nodejs'])
  // For a set, what is added on the way is walked over, too. What Debian's Node takes of itself from other packages is in
  // the second line of its dependencies.
  for (const name of needed)
    for (const dependency of await foreignDependencies({ ...from, name }))
      if (!/^(node-corepack|<.*|.*-base|libc-bin|debconf.*)$/.test(dependency)) needed.add(dependency)
  await downloadFromDebian({ ...from, names: [image, ...needed], into: packages })
  for (const file of readdirSync(packages)) {
    await must('dpkg-deb', ['-x', join(packages, file), file.startsWith('linux-image') ? kernel : root])
  }
  const release = image.replace('linux-image-', '')
  renameSync(join(kernel, 'boot', `vmlinux-${release}`), join(building, 'Image'))
  const module = join(building, 'kvm.ko')
  renameSync(join(kernel, `usr/lib/modules/${release}/kernel/arch/riscv/kvm/kvm.ko.xz`), `${module}.xz`)
  await must('xz', ['-d', `${module}.xz`])
  for (const folder of ['doc', 'man', 'locale', 'icons', 'bash-completion'])
    rmSync(join(root, 'usr/share', folder), { recursive: true, force: true })
  for (const folder of ['dev', 'proc', 'sys', 'tmp']) mkdirSync(join(root, folder), { recursive: true })
  for (const folder of ['lib', 'bin', 'sbin']) {
    mkdirSync(join(root, 'usr', folder), { recursive: true })
    symlinkSync(`usr/${folder}`, join(root, folder))
  }
  for (const folder of [packages, kernel]) rmSync(folder, { recursive: true })
  writeFileSync(join(building, 'release'), `${release}\n`)
  renameSync(building, place)
} finally {
  rmSync(building, { recursive: true, force: true })
}
