import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { bundle, programFolder } from '../../../kvm-ioctl/test/guest/lab/run-in-lab.js'
import { findCrosvm } from '../../src/linux/find-crosvm.js'
import { findGuestKernel } from '../../src/linux/find-guest-kernel.js'
import { defaultPlaces } from '../../src/linux/places.js'
import { addProgram } from '../guest/real-store.js'

const checkout = fileURLToPath(new URL('../../../../', import.meta.url))
const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const LAB_SECONDS = 900

/** What `cross-domain-unit.ts` says, all in one object: each of its lines has names of its own. */
interface Said {
  readonly proxied: readonly string[]
  readonly argv: readonly string[]
  readonly roles: readonly string[]
  readonly globals: readonly string[]
  readonly seen: { readonly title: string; readonly appId: string }
  readonly pictured: { readonly width: number; readonly height: number; readonly middle: number }
  readonly keymap: string
  readonly key: string
  readonly pasted: string
  readonly sent: string
  readonly registries: readonly string[]
  readonly flood: readonly string[]
  readonly many: readonly string[]
  readonly guessed: readonly string[]
  readonly disguised: readonly string[]
  readonly unaligned: readonly string[]
  readonly nobody: readonly string[]
  readonly beside: readonly string[]
  readonly end: object
  readonly leftovers: object
  readonly proxy: boolean
  readonly finished: boolean
}

/** Why it cannot be tried here; undefined where it can. */
async function whyNot(binary: string | undefined): Promise<string | undefined> {
  if (binary === undefined) return 'neither CROSVM nor the search path names a crosvm'
  const options = { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL', stdio: 'pipe' } as const
  if (!/^ *--gpu\b/m.test(execFileSync(binary, ['run', '--help'], options)))
    return `${binary} was built without its feature gpu`
  const kernel = await findGuestKernel(process.env, defaultPlaces(process.env).cache)
  if (kernel.isErr()) return kernel.error.message
  if (!/\/virtio-gpu\.ko:/.test(readFileSync(`${kernel.value.modulesDirectory}/modules.dep`, 'latin1')))
    return 'the guest kernel has no virtio-gpu: name one of linux-image-amd64 by SPECTRUM_KERNEL and SPECTRUM_KERNEL_MODULES'
  return undefined
}

const binary = await findCrosvm(process.env)
const reason = await whyNot(binary)
const title = 'windows of a unit through crosvm’s cross-domain device, in the lab'

describe.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (skipped: ${reason})`, () => {
  let said: Said

  beforeAll(
    async () => {
      const program = await addProgram('cross-domain', ['cross-domain.c', 'wayland.c', 'channel.c'])
      const folders = [programFolder(), programFolder()] as const
      try {
        const [main, proxy] = await Promise.all([
          bundle(source('./cross-domain-unit.ts'), folders[0]),
          // Node in the lab is slow enough without a compiler before it.
          bundle(source('../../../wayland-proxy/src/linux/spectrum-wayland.ts'), folders[1]),
        ])
        const size = ['--timeout', String(LAB_SECONDS), '--memory', '3072', '--vcpus', '2']
        const argument = JSON.stringify({ binary, program, proxy })
        const lab = spawn(
          process.execPath,
          ['packages/unit-monitor/lab/lab.mjs', 'x86_64', ...size, '--', 'node', main, argument],
          { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] },
        )
        const output = { stdout: '', stderr: '' }
        for (const name of ['stdout', 'stderr'] as const)
          lab[name].setEncoding('utf8').on('data', (text: string) => {
            output[name] += text
            if (process.env['SPECTRUM_LAB_ALOUD'] !== undefined) process.stdout.write(text)
          })
        const [code] = await once(lab, 'close')
        if (code !== 0)
          throw new Error(`the lab ended with ${code}, and had said:\n${output.stdout}${output.stderr}`)
        const lines = output.stdout.trim().split('\n')
        said = Object.assign({}, ...lines.map((line) => JSON.parse(line)))
      } finally {
        for (const folder of folders) rmSync(folder, { recursive: true, force: true })
      }
    },
    (LAB_SECONDS + 120) * 1_000,
  )

  it('come by a GPU that is in a jail of its own, and reaches nothing of the proxy but its socket', () => {
    expect(said.argv).toEqual([
      '--gpu=backend=2d,max-num-displays=1,context-types=cross-domain',
      expect.stringMatching(/^--wayland-sock=\/tmp\/cross-domain-\w+\/w$/),
    ])
    expect(said.roles).toContain('crosvm pcivirtio-gpu')
    // A listening socket and its lock: the policy is gone.
    expect(said.proxied.toSorted()).toEqual(['w', 'w.lock'])
  })

  it('are made of what the policy offers, and the rest is not named', () => {
    expect(said.globals[0]).toBe('channels 2 version 1')
    const interfaces = said.globals.flatMap((line) => /^global \d+ (\S+) \d+$/.exec(line)?.[1] ?? [])
    expect(interfaces).toEqual(
      expect.arrayContaining(['wl_compositor', 'wl_shm', 'xdg_wm_base', 'wl_seat', 'wl_data_device_manager']),
    )
    expect(interfaces.filter((name) => /^zwlr_|virtual_keyboard|input_method|dmabuf/.test(name))).toEqual([])
    expect(said.globals.at(-1)).toBe('done')
  })

  it('have the unit’s prefix in title and app-id, its frame and label, and the unit’s own pixels within', () => {
    expect(said.seen).toMatchObject({ title: '[ledger] ledger', appId: 'unit.ledger.org.example.ledger' })
    expect(said.pictured).toEqual({ width: 256 + 8, height: 160 + 24, middle: 0xff33cc66 })
  })

  it('get the keymap as memory, keys when the user types, and give what is copied through a pipe', () => {
    expect(said.keymap).toMatch(/^keymap \d{4,} xkb_keymap \{$/)
    expect(said.key).toBe('key 46 1')
    expect(said.sent).toBe('sent')
    expect(said.pasted).toBe('said in the unit')
  })

  it('are answered in more than one message of the channel takes, and take as many descriptors as it has', () => {
    const offered = said.globals.filter((line) => line.startsWith('global ')).length
    expect(said.registries.at(-1)).toBe(`heard ${100 * offered}`)
    expect(said.many.at(-1)).toBe('done')
  })

  it('cannot have what is denied, by no name and no disguise, nor too much, nor break the rules; they are told the error and the end, and the other window stays', () => {
    for (const lines of [said.flood, said.guessed, said.disguised, said.unaligned, said.nobody]) {
      expect(lines.at(-2)).toMatch(/^error 1 \d \S/)
      // It would have stayed: it is the channel that tells it, whatever it had on its way.
      expect(lines.at(-1)).toBe('closed')
    }
    expect(said.beside).toEqual(['[ledger] ledger'])
  })

  it('end with their program and with their machine, and nothing is left', () => {
    expect(said.end).toEqual({ state: 'stopped', exit: { kind: 'powered-off' }, graceful: true })
    expect(said.leftovers).toEqual({ processes: [], sockets: [], mounts: [], files: [] })
    expect({ proxy: said.proxy, finished: said.finished }).toEqual({ proxy: false, finished: true })
  })
})
