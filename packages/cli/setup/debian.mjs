import { existsSync, readFileSync } from 'node:fs'
import { findProgram, lastLines, Problem, remedyFor, run } from './commands.mjs'

/**
 * What the host needs from Debian. `present` looks for the thing itself, not for the package: a machine that
 * has it from elsewhere keeps using that.
 */
export const pieces = [
  {
    package: process.arch === 'arm64' ? 'qemu-system-arm' : 'qemu-system-x86',
    why: 'the monitor that runs units where crosvm cannot',
    present: () => has(process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64'),
  },
  {
    package: 'nix-bin',
    why: 'builds and reads the Nix store',
    present: () =>
      (has('nix-store') && has('nix-build')) || existsSync('/nix/var/nix/profiles/default/bin/nix-store'),
  },
  {
    package: 'sqlite3',
    why: "reads Nix's database where Node has no SQLite of its own (before 22.13)",
    present: () => has('sqlite3'),
  },
  {
    package: 'e2fsprogs',
    why: 'makes and checks the file systems of volumes',
    present: () => has('mkfs.ext4') && has('e2fsck'),
  },
  {
    package: 'erofs-utils',
    why: 'checks the store images that units mount',
    present: () => has('fsck.erofs') && has('mkfs.erofs') && has('dump.erofs'),
  },
  { package: 'kmod', why: 'indexes the modules of the guest kernel (depmod)', present: () => has('depmod') },
  {
    package: 'gcc',
    why: 'compiles the agent and the native bindings',
    present: () => has('gcc') && has('cc'),
  },
  { package: 'g++', why: "compiles the demo's closures", present: () => has('g++') && has('c++') },
  {
    package: 'libc6-dev',
    why: "the C library's headers, and its static form for the agent",
    present: () =>
      existsSync('/usr/include/stdio.h') && existsSync('/usr/include/linux/kvm.h') && hasStaticLibc(),
  },
  { package: 'make', why: 'builds C', present: () => has('make') },
  { package: 'xz-utils', why: 'unpacks compressed kernel modules and packages', present: () => has('xz') },
  {
    package: 'fsverity',
    why: 'lets the kernel check cached blobs where the file system can',
    present: () => has('fsverity'),
  },
]

/** What only the tests need. */
const testPieces = [
  {
    package: 'valgrind',
    why: 'finds memory errors of the native code, for the tests',
    present: () => has('valgrind'),
  },
  { package: 'zsh', why: "reads the command's completion for it", present: () => has('zsh') },
  { package: 'fish', why: 'the same', present: () => has('fish') },
  { package: 'openssl', why: 'makes certificates, for the tests of https', present: () => has('openssl') },
  {
    package: 'gnupg1',
    why: 'signs in the vault of the example split-gpg, for its test',
    present: () => has('gpg1'),
  },
  {
    package: 'poppler-utils',
    why: 'opens documents in the example disposable-viewer, for its test',
    present: () => has('pdftoppm') && has('pdftotext'),
  },
  {
    package: 'patchelf',
    why: "makes store paths of Debian's programs, for the examples that run such",
    present: () => has('patchelf'),
  },
  {
    package: 'fonts-dejavu-core',
    why: 'letters for those of them that draw',
    present: () => existsSync('/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf'),
  },
  {
    package: 'gdb',
    why: 'is injected by the example inject-debugger, for its test',
    present: () => has('gdb'),
  },
  { package: 'cpio', why: 'unpacks initramfs archives, for the tests', present: () => has('cpio') },
  {
    package: 'wayland-protocols',
    why: "the protocols' XML, which the proxy's tables are compared with, for the tests",
    present: () => existsSync('/usr/share/wayland-protocols/stable/xdg-shell/xdg-shell.xml'),
  },
  {
    package: 'libwayland-dev',
    why: "the core protocol's XML, for the same tests",
    present: () => existsSync('/usr/share/wayland/wayland.xml'),
  },
  {
    package: 'sway',
    why: "a real compositor, without a screen, for the proxy's tests",
    present: () => has('sway') && has('swaymsg'),
  },
  {
    package: 'weston',
    why: 'another one, and its terminal and other programs, for the same tests',
    present: () => has('weston') && has('weston-simple-shm'),
  },
  {
    package: 'wayland-utils',
    why: 'wayland-info, which lists what a compositor offers',
    present: () => has('wayland-info'),
  },
  { package: 'foot', why: 'a terminal, as a program behind the proxy', present: () => has('foot') },
  { package: 'gtk-3-examples', why: 'a GTK 3 program behind the proxy', present: () => has('gtk3-demo') },
  { package: 'gtk-4-examples', why: 'a GTK 4 program behind the proxy', present: () => has('gtk4-demo') },
  { package: 'xwayland', why: 'an X server as a program behind the proxy', present: () => has('Xwayland') },
  { package: 'wl-clipboard', why: 'copies and pastes behind the proxy', present: () => has('wl-copy') },
  {
    package: 'grim',
    why: 'takes pictures of the screen, which the proxy must prevent',
    present: () => has('grim'),
  },
  {
    package: 'waypipe',
    why: "carries the windows of a unit to the host's desktop, here and in the unit",
    present: () => has('waypipe'),
  },
  { package: 'wtype', why: 'types for the user, which the proxy must prevent', present: () => has('wtype') },
  {
    package: 'wlr-randr',
    why: 'arranges monitors, which the proxy must prevent',
    present: () => has('wlr-randr'),
  },
  {
    package: 'swaylock',
    why: 'locks the screen, which the proxy must prevent',
    present: () => has('swaylock'),
  },
  {
    package: 'kanshi',
    why: 'arranges monitors by itself, which the proxy must prevent',
    present: () => has('kanshi'),
  },
  {
    package: 'socat',
    why: 'what calls between units are measured against (npm run bench -- broker)',
    present: () => has('socat'),
  },
  { package: 'zstd', why: 'compresses as binary caches do, for the tests', present: () => has('zstd') },
  { package: 'bzip2', why: 'compresses as old binary caches do, for the tests', present: () => has('bzip2') },
  // The kernel's header means other numbers on each architecture; the labs run the addon of theirs.
  ...crossCompilers(),
  {
    package: 'qemu-system-arm',
    why: 'emulates a machine with KVM for the aarch64 lab',
    present: () => has('qemu-system-aarch64'),
  },
  {
    package: 'qemu-system-ppc',
    why: 'emulates a machine with KVM for the POWER lab',
    present: () => has('qemu-system-ppc64'),
  },
]

/** What is large, and only wanted by who runs one example. */
const examplePieces = [
  {
    package: 'chromium',
    why: 'the browser of the example five-chromiums',
    present: () => existsSync('/usr/lib/chromium/chromium'),
  },
]

/** What compiles for the architectures that this machine is not. */
function crossCompilers() {
  const targets = [
    {
      node: 'x64',
      debian: 'amd64',
      triplet: 'x86-64-linux-gnu',
      why: 'reads the kernel’s header for x86-64',
    },
    {
      node: 'arm64',
      debian: 'arm64',
      triplet: 'aarch64-linux-gnu',
      why: 'compiles for the aarch64 lab',
      labNode: true,
    },
    {
      node: 'ppc64',
      debian: 'ppc64el',
      triplet: 'powerpc64le-linux-gnu',
      why: 'compiles for the POWER lab',
      labNode: true,
    },
    { node: 'riscv64', debian: 'riscv64', triplet: 'riscv64-linux-gnu', why: 'compiles for riscv64' },
  ]
  return targets
    .filter((target) => target.node !== process.arch)
    .flatMap(({ debian, triplet, why, labNode }) => [
      {
        package: `gcc-${triplet}`,
        why,
        present: () => has(`${triplet.replace('x86-64', 'x86_64')}-gcc`),
      },
      {
        package: `libc6-dev-${debian}-cross`,
        why: `${why}: the C library`,
        present: () => existsSync(`/usr/${triplet.replace('x86-64', 'x86_64')}/include/stdio.h`),
      },
      ...(labNode
        ? [
            {
              package: `libstdc++6-${debian}-cross`,
              why: `${why}: the C++ library of Node`,
              present: () => existsSync(`/usr/${triplet}/lib/libstdc++.so.6`),
            },
          ]
        : []),
    ])
}

function has(program) {
  return findProgram(program) !== undefined
}

function hasStaticLibc() {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
  return ['/usr/lib', '/usr/lib64', `/usr/lib/${triplet}`].some((directory) =>
    existsSync(`${directory}/libc.a`),
  )
}

function isDebian() {
  let text = ''
  try {
    text = readFileSync('/etc/os-release', 'utf8')
  } catch {
    // No such file: certainly not a Debian.
  }
  return /^ID(_LIKE)?=.*debian/m.test(text) && has('apt-get') && has('dpkg-deb')
}

export const debianPackages = {
  name: 'Debian packages',

  missing: () => absent(pieces),

  async install(missing, { signal, say }) {
    const names = missing.map((item) => item.what)
    if (!isDebian()) {
      throw new Problem(
        `This is not a Debian system, and something is missing: ${missing.map((item) => `${item.what} (${item.why})`).join(', ')}`,
        'install the equivalents with your own package manager, then run this again',
      )
    }
    const unknown = []
    for (const name of names) if (!(await isKnown(name, signal))) unknown.push(name)
    if (unknown.length > 0) await updateLists(say, signal, `${unknown.join(', ')} not in apt's lists yet`)

    const install = () =>
      asRoot(
        ['apt-get', 'install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...names],
        signal,
      )
    let outcome = await install()
    if (outcome.code !== 0 && /dpkg was interrupted/.test(outcome.both)) {
      say('  finishing an installation that was interrupted earlier (dpkg --configure -a)')
      await asRoot(['dpkg', '--configure', '-a'], signal)
      outcome = await install()
    }
    if (
      outcome.code !== 0 &&
      /unable to locate|no installation candidate|404 +not found|unable to fetch/i.test(outcome.both)
    ) {
      await updateLists(say, signal, 'apt has lists that the mirror has moved on from')
      outcome = await install()
    }
    if (outcome.code !== 0) {
      throw new Problem(
        `apt-get could not install ${names.join(' ')}`,
        remedyFor(outcome.both, 'read the reason above, put it right, then run this again'),
        lastLines(outcome.both),
      )
    }
    const still = this.missing().map((item) => item.what)
    if (still.length > 0)
      throw new Problem(
        `apt-get reports success, but something is still not found: ${still.join(', ')}`,
        `reinstall it: apt-get install --reinstall ${still.join(' ')}`,
      )
  },
}

/** The same for what is needed besides where the tests run. */
export const debianTestPackages = {
  ...debianPackages,
  name: 'Debian packages for the tests',
  missing: () => absent(testPieces),
}

/** Some of all these, for an example. */
export function debianPackagesNamed(names) {
  const wanted = [...pieces, ...testPieces, ...examplePieces].filter((piece) => names.includes(piece.package))
  const unknown = names.filter((name) => !wanted.some((piece) => piece.package === name))
  if (unknown.length > 0) throw new Error(`debian.mjs does not declare ${unknown.join(', ')}`)
  return {
    ...debianPackages,
    name: `Debian packages for examples: ${names.join(', ')}`,
    missing: () => absent(wanted),
  }
}

const absent = (wanted) =>
  wanted.filter((piece) => !piece.present()).map((piece) => ({ what: piece.package, why: piece.why }))

/** Whether apt's lists name an installable version. */
async function isKnown(name, signal) {
  const { stdout } = await run('apt-cache', ['policy', name], { signal, env: { LC_ALL: 'C' } })
  return /Candidate: (?!\(none\))/.test(stdout)
}

export async function updateLists(say, signal, reason) {
  say(`  apt-get update: ${reason}`)
  const outcome = await asRoot(['apt-get', 'update', '-o', 'DPkg::Lock::Timeout=300'], signal)
  if (outcome.code !== 0 || /^(E|Err):/m.test(outcome.both)) {
    // Some mirrors may fail while the one that matters works; the next step finds out.
    say(lastLines(outcome.both.replace(/^(?!E:|W:|Err).*\n/gm, ''), 3).replace(/^/gm, '    '))
  }
}

/** Whether `installAsRoot` can work without asking for a password, and how. */
async function asRoot(argv, signal) {
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' }
  // SIGINT lets apt finish the package in hand; anything harder would leave dpkg half-way.
  const options = { signal, env, stopWith: 'SIGINT', patient: true, deadlineMs: 1_200_000 }
  if (process.getuid() === 0) return run(argv[0], argv.slice(1), options)
  if (!has('sudo'))
    throw new Problem(`Must be root to run: ${argv.join(' ')}`, 'run this as root, or install sudo')
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const silent = await run('sudo', ['-n', 'true'], { signal })
  if (silent.code === 0) return run('sudo', ['-n', 'env', ...assignments, ...argv], options)
  if (!process.stdin.isTTY)
    throw new Problem(
      `Must be root to run: ${argv.join(' ')}`,
      'sudo asks for a password here and there is no terminal to type it: run `sudo -v` first, or run this as root',
    )
  return run('sudo', ['env', ...assignments, ...argv], { ...options, stdio: 'inherit' })
}

/** A store of one's own for someone who is not root, as Nix's single-user installation makes it. */
export const nixStore = {
  name: 'Nix store',
  missing() {
    if (process.getuid() === 0 || existsSync('/nix')) return []
    return [{ what: '/nix', why: 'an empty store directory that belongs to you, because you are not root' }]
  },
  async install(_missing, { signal }) {
    const owner = ['-o', String(process.getuid()), '-g', String(process.getgid())]
    const outcome = await asRoot(['install', '-d', '-m', '0755', ...owner, '/nix'], signal)
    if (outcome.code !== 0)
      throw new Problem(
        'Cannot create /nix',
        'create it as root and give it to yourself',
        lastLines(outcome.both),
      )
  },
}
