import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildInitramfs, resolveModules, type UnitNeeds, unitModules } from '@spectrum/guest-agent'
import { expect, it } from 'vitest'
import { writeCpio } from '../src/cpio.js'

const bytes = (text: string) => Buffer.from(text)
const parts = {
  agent: bytes('an agent'),
  modules: [
    { name: 'first', bytes: bytes('1') },
    { name: 'second', bytes: bytes('22') },
  ],
}

it('writes an archive that cpio unpacks to the same files and modes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'initramfs-'))
  try {
    execFileSync('cpio', ['--extract', '--make-directories', '--quiet'], {
      cwd: directory,
      input: buildInitramfs(parts),
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    expect(readFileSync(join(directory, 'init'), 'utf8')).toBe('an agent')
    expect(statSync(join(directory, 'init')).mode & 0o7777).toBe(0o555)
    expect(readFileSync(join(directory, 'modules/load'), 'utf8')).toBe(
      '/modules/00-first.ko\n/modules/01-second.ko\n',
    )
    expect(readFileSync(join(directory, 'modules/01-second.ko'), 'utf8')).toBe('22')
    for (const empty of ['dev', 'proc', 'sys', 'tmp', 'run', 'home', 'nix/store']) {
      expect(statSync(join(directory, empty)).isDirectory()).toBe(true)
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

it('gives the same bytes for the same parts', () => {
  expect(buildInitramfs(parts)).toEqual(buildInitramfs(parts))
  expect(Buffer.from(buildInitramfs(parts)).equals(buildInitramfs({ ...parts, modules: [] }))).toBe(false)
})

it('aligns every entry to four bytes and ends with the trailer', () => {
  for (const length of [0, 1, 2, 3, 4]) {
    const archive = Buffer.from(
      writeCpio([{ kind: 'file', path: 'x'.repeat(length + 1), mode: 0o644, bytes: Buffer.alloc(length) }]),
    )
    expect(archive.length % 4).toBe(0)
    expect(archive.subarray(-124).toString('latin1')).toMatch(/TRAILER!!!\0+$/)
  }
})

it('refuses paths that would leave the archive', () => {
  for (const path of ['/etc', '../x', 'a/../b', 'a//b', '', 'a\0b']) {
    expect(() => writeCpio([{ kind: 'directory', path, mode: 0o755 }])).toThrow(TypeError)
  }
  expect(() => buildInitramfs({ ...parts, modules: [{ name: '../x', bytes: bytes('') }] })).toThrow(TypeError)
})

const index = {
  dependencies: [
    'kernel/a.ko: kernel/c.ko kernel/b.ko',
    'kernel/b.ko:',
    'kernel/c.ko: kernel/b.ko',
    'kernel/with-dash.ko:',
    'kernel/packed.ko.xz:',
    'kernel/loop1.ko: kernel/loop2.ko',
    'kernel/loop2.ko: kernel/loop1.ko',
    'kernel/dangling.ko: kernel/gone.ko',
    '',
  ].join('\n'),
  builtin: 'kernel/built-in.ko\n',
}

it('orders modules so that each finds what it needs, once', () => {
  const wanted = [{ name: 'c' }, { name: 'a' }, { name: 'with_dash' }]
  expect(resolveModules(index, wanted)._unsafeUnwrap()).toEqual([
    'kernel/b.ko',
    'kernel/c.ko',
    'kernel/a.ko',
    'kernel/with-dash.ko',
  ])
})

it('passes over what is built in, and what is optional and absent', () => {
  const wanted = [{ name: 'built_in' }, { name: 'nowhere', optional: true }]
  expect(resolveModules(index, wanted)._unsafeUnwrap()).toEqual([])
})

it('names the feature that a kernel lacks, and the remedy', () => {
  const error = resolveModules(index)._unsafeUnwrapErr()
  expect(error).toMatchObject({ kind: 'kernel-lacks', feature: 'virtio_pci' })
  expect(error.message).toContain('CONFIG_VIRTIO_PCI')
})

it('wants a GPU only for a unit with a display, and names a kernel of Debian that has it', () => {
  const names = (needs: UnitNeeds) => unitModules(needs).map(({ name }) => name)
  expect(names({ display: true }).filter((name) => !names({}).includes(name))).toEqual(['virtio_gpu'])
  const { message } = resolveModules(index, [{ name: 'virtio_gpu' }])._unsafeUnwrapErr()
  expect(message).toContain("Debian's linux-image-amd64")
  expect(message).toContain('CONFIG_DRM_VIRTIO_GPU')
})

it.each([
  ['a compressed module', 'packed', 'module-compressed'],
  ['a cycle', 'loop1', 'invalid-modules'],
  ['a dependency without a line', 'dangling', 'invalid-modules'],
])('refuses %s', (_, name, kind) => {
  expect(resolveModules(index, [{ name }])._unsafeUnwrapErr().kind).toBe(kind)
})

it.each(['nonsense', '../escape.ko:', '/absolute.ko:', 'kernel/a.ko: ../b.ko'])(
  'refuses the modules.dep line %j',
  (line) => {
    expect(resolveModules({ dependencies: line, builtin: '' }, [])._unsafeUnwrapErr().kind).toBe(
      'invalid-modules',
    )
  },
)
