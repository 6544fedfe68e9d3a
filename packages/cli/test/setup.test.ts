import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const setup = fileURLToPath(new URL('../setup/', import.meta.url))
const moduleAt = (name: string) => pathToFileURL(join(setup, name)).href

vi.setConfig({ testTimeout: 30_000 })

let place: string
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'spectrum-setup-'))
})
afterEach(() => rm(place, { recursive: true, force: true }))

/** Runs a few lines of plain Node that use the set-up's modules. */
function program(source: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const ended = once(child, 'close').then(([code, signal]) => ({ status: code ?? signal, output }))
  const said = async (text: string) => {
    while (!output.includes(text)) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return { pid: child.pid!, ended, said, output: () => output }
}

describe('a program run in the foreground', () => {
  const child = `
    let heard = 0
    process.on('SIGINT', () => { heard++ ; console.log('heard'); setTimeout(() => process.exit(40 + heard), 1500) })
    console.log('ready'); setTimeout(() => {}, 20000)`
  const parent = `import { runInForeground } from '${moduleAt('child.mjs')}'
    process.exit(await runInForeground(process.execPath, ['-e', ${JSON.stringify(child)}]))`

  it('hears one Ctrl-C once, though terminal and npm both send it, and its exit status is kept', async () => {
    const outer = program(parent)
    await outer.said('ready')
    process.kill(-outer.pid, 'SIGINT')
    process.kill(outer.pid, 'SIGINT')
    expect((await outer.ended).status).toBe(41)
  })

  it('hears a second Ctrl-C that was meant', async () => {
    const outer = program(parent)
    await outer.said('ready')
    process.kill(-outer.pid, 'SIGINT')
    await outer.said('heard')
    await new Promise((resolve) => setTimeout(resolve, 400))
    process.kill(-outer.pid, 'SIGINT')
    expect((await outer.ended).status).toBe(42)
  })

  it('turns the signal that ended it into 128+n', async () => {
    const dies = parent.replace(JSON.stringify(child), JSON.stringify("process.kill(process.pid, 'SIGKILL')"))
    expect((await program(dies).ended).status).toBe(137)
  })
})

describe('the lock of a checkout', () => {
  /** Holds the lock until SIGUSR2. */
  const holder = (root: string) => `import { lockCheckout } from '${moduleAt('lock.mjs')}'
    const staying = setTimeout(() => {}, 60_000)
    process.on('SIGUSR2', async () => { clearTimeout(staying); console.log('releasing'); await lock.release() })
    const lock = await lockCheckout(${JSON.stringify(root)}, { waiting: () => console.log('waiting') })
    console.log('holding')`

  it('is held by one set-up at a time', async () => {
    const first = program(holder(place))
    await first.said('holding')
    const second = program(holder(place))
    await second.said('waiting')
    expect(second.output()).not.toContain('holding')
    process.kill(first.pid, 'SIGUSR2')
    await second.said('holding')
    await first.said('releasing')
    process.kill(second.pid, 'SIGUSR2')
    await Promise.all([first.ended, second.ended])
  })

  it('is let go when its holder is killed', async () => {
    const first = program(holder(place))
    await first.said('holding')
    const second = program(holder(place))
    await second.said('waiting')
    process.kill(first.pid, 'SIGKILL')
    await second.said('holding')
    process.kill(second.pid, 'SIGUSR2')
    await second.ended
  })

  it('does not stop a set-up of another checkout', async () => {
    const both = [program(holder(place)), program(holder(`${place}/other`))]
    await Promise.all(both.map((one) => one.said('holding')))
    for (const { pid } of both) process.kill(pid, 'SIGUSR2')
    for (const { ended } of both) expect((await ended).output).not.toContain('waiting')
  })
})

describe('what is already there', () => {
  const missing = (step: string, name: string) =>
    `import { ${name} } from '${moduleAt(step)}'
     try { console.log(JSON.stringify(${name}.missing().map((item) => item.what))) }
     catch (error) { console.log(error.message, '|', error.remedy) }`
  const kernelMissing = async (env: Record<string, string> = {}) =>
    (
      await program(missing('guest-kernel.mjs', 'guestKernel'), {
        SPECTRUM_KERNEL: '',
        XDG_CACHE_HOME: place,
        ...env,
      }).ended
    ).output.trim()

  it('is a guest kernel only when it is whole', async () => {
    const kernel = join(place, 'spectrum/guest-kernel/6.1.0-1')
    const wanted = expect.stringContaining('linux-image-cloud')
    expect(await kernelMissing()).toEqual(wanted)
    await mkdir(join(kernel, 'boot'), { recursive: true })
    await mkdir(join(kernel, 'lib/modules/6.1.0-1'), { recursive: true })
    await symlink('6.1.0-1', join(place, 'spectrum/guest-kernel/current'))
    await writeFile(join(kernel, 'boot/vmlinuz-6.1.0-1'), '')
    expect(await kernelMissing()).toEqual(wanted)
    await writeFile(join(kernel, 'lib/modules/6.1.0-1/modules.dep'), '')
    expect(await kernelMissing()).toBe('[]')
    await unlink(join(kernel, 'boot/vmlinuz-6.1.0-1'))
    expect(await kernelMissing()).toEqual(wanted)
  })

  it('is the kernel that the user names, if both halves of it exist', async () => {
    const image = join(place, 'vmlinuz')
    expect(await kernelMissing({ SPECTRUM_KERNEL: image })).toContain('does not exist | name both')
    await writeFile(image, '')
    expect(await kernelMissing({ SPECTRUM_KERNEL: image, SPECTRUM_KERNEL_MODULES: '' })).toContain(
      'SPECTRUM_KERNEL_MODULES is not',
    )
    const named = { SPECTRUM_KERNEL: image, SPECTRUM_KERNEL_MODULES: place }
    expect(await kernelMissing(named)).toContain('no modules.dep')
    await writeFile(join(place, 'modules.dep'), '')
    expect(await kernelMissing(named)).toBe('[]')
  })

  it('is a Debian program wherever the search path has it', async () => {
    const outside = await program(missing('debian.mjs', 'debianPackages'), {
      PATH: process.env['PATH'] ?? '',
    }).ended
    expect(JSON.parse(outside.output)).toEqual([])
  })
})

describe('builds in dependency order', () => {
  it('run an item after what it needs, at most so many at once, and all of them', async () => {
    const { inDependencyOrder } = await import(moduleAt('workspace.mjs'))
    const item = (name: string, ...needs: object[]) => ({ name, needs })
    const a = item('a')
    const b = item('b', a)
    const c = item('c')
    const d = item('d', b, c)
    const ended: string[] = []
    let running = 0
    const done = await inDependencyOrder(
      [d, b, c, a],
      2,
      async (one: { name: string; needs: { name: string }[] }) => {
        for (const need of one.needs) expect(ended).toContain(need.name)
        expect(++running).toBeLessThanOrEqual(2)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running--
        ended.push(one.name)
        return one.name
      },
    )
    expect([...done.values()].sort()).toEqual(['a', 'b', 'c', 'd'])
  })
})

describe('the final line of npm test', () => {
  it('counts what passed, failed and was skipped, and names all but the first', async () => {
    const { Totals } = await import(moduleAt('tally.mjs'))
    const totals = new Totals()
    totals.addCheck('lint', undefined)
    totals.addCheck('build', 'does not build')
    totals.add('fast', {
      passed: 3,
      failures: [{ file: 'x.test.ts', name: 'adds', reason: 'expected 3 to be 4' }],
      skips: [{ file: 'y.test.ts', name: 'flies', reason: 'no wings' }],
    })
    let text = ''
    totals.print((part: string) => {
      text += part
    })
    expect(text.split('\n').slice(0, -1)).toEqual([
      'skipped: flies [fast, y.test.ts]: no wings',
      'failed: does not build [build]',
      'failed: adds [fast, x.test.ts]: expected 3 to be 4',
      '4 passed, 2 failed, 1 skipped',
    ])
    expect(totals.exitStatus).toBe(1)
  })
})
