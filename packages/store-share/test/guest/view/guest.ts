import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildInitramfs, type KernelModule, resolveModules } from '@spectrum/guest-agent'

const MODULES = ['virtio_pci', 'fuse', 'virtiofs'].map((name) => ({ name }))

/** The guest kernel that the set-up keeps, or the one that is named. */
function kernel(): { image: string; modules: string } {
  const { SPECTRUM_KERNEL: image, SPECTRUM_KERNEL_MODULES: modules, XDG_CACHE_HOME } = process.env
  if (image && modules) return { image, modules }
  const current = join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'spectrum/guest-kernel/current')
  const [release = ''] = readdirSync(join(current, 'lib/modules'))
  return {
    image: join(current, 'boot', `vmlinuz-${release}`),
    modules: join(current, 'lib/modules', release),
  }
}

function qemuArguments(image: string, initramfs: string, shares: readonly Share[], memoryMib: number) {
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-accel', 'tcg'],
    ...['-machine', 'q35,memory-backend=ram,usb=off,sata=off,smbus=off,vmport=off'],
    ...['-cpu', 'max,la57=off', '-smp', '1', '-m', `${memoryMib}M`],
    ...['-object', `memory-backend-memfd,id=ram,size=${memoryMib}M,share=on`],
    ...['-kernel', image, '-initrd', initramfs, '-append', PARAMETERS, '-serial', 'stdio'],
    ...shares.flatMap(({ socket, tag }, i) => [
      ...['-chardev', `socket,id=view${i},path=${socket},server=off`],
      ...['-device', `vhost-user-fs-pci,chardev=view${i},tag=${tag},queue-size=1024`],
    ]),
  ]
}

/** The tag comes from the view itself. */
function crosvmArguments(image: string, initramfs: string, shares: readonly Share[], memoryMib: number) {
  return [
    ...['--log-level=error', 'run', '--disable-sandbox', '--mem', `size=${memoryMib}`, '--no-usb'],
    ...['--initrd', initramfs, '--params', PARAMETERS],
    ...['--serial', 'type=stdout,hardware=serial,num=1,stdin=true'],
    ...shares.flatMap(({ socket }) => ['--vhost-user', `type=fs,socket=${socket}`]),
    image,
  ]
}

const PARAMETERS = 'quiet loglevel=1 console=ttyS0 no_timer_check panic=-1'

export interface Share {
  readonly socket: string
  readonly tag: string
}

/** A virtual machine whose PID 1 looks at views and says what it sees. */
export class Guest implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'view-guest-'))
  readonly #process: ChildProcess
  readonly #exit: Promise<void>
  readonly #patienceMs: number
  #output = ''
  #wake: () => void = () => {}
  #dead = false

  /** In QEMU, by software; or in the crosvm that is named, which needs a KVM that works. */
  constructor(shares: readonly Share[], { memoryMib = 512, crosvm = '', patienceMs = 110_000 } = {}) {
    this.#patienceMs = patienceMs
    const { image, modules } = kernel()
    const index = (name: string) => readFileSync(join(modules, name), 'utf8')
    const order = resolveModules(
      { dependencies: index('modules.dep'), builtin: index('modules.builtin') },
      MODULES,
    )._unsafeUnwrap()
    const init = join(this.#folder, 'init')
    const source = fileURLToPath(new URL('./init.c', import.meta.url))
    execFileSync('cc', ['-static', '-O2', '-Wall', '-Wextra', '-Werror', '-o', init, source], {
      timeout: 100_000,
      killSignal: 'SIGKILL',
    })
    const initramfs = join(this.#folder, 'initramfs')
    const carried = order.map(
      (path): KernelModule => ({
        name: path.split('/').at(-1)!.replace('.ko', '').replaceAll('-', '_'),
        bytes: readFileSync(join(modules, path)),
      }),
    )
    writeFileSync(initramfs, buildInitramfs({ agent: readFileSync(init), modules: carried }))
    const [program, argv] = crosvm
      ? [crosvm, crosvmArguments(image, initramfs, shares, memoryMib)]
      : ['qemu-system-x86_64', qemuArguments(image, initramfs, shares, memoryMib)]
    this.#process = spawn(program, argv, { stdio: ['pipe', 'pipe', 'pipe'] })
    const take = (text: Buffer) => {
      this.#output += text.toString('utf8')
      this.#wake()
    }
    this.#process.stdout!.on('data', take)
    this.#process.stderr!.on('data', take)
    this.#exit = new Promise((resolve) => {
      this.#process.once('close', () => {
        this.#dead = true
        this.#wake()
        resolve()
      })
    })
  }

  /** Until it can be told what to do. */
  async ready(): Promise<void> {
    await this.#until(/(^|\n)(ready)\n/)
  }

  /** The lines it answers with; what the kernel refused is `errno NUMBER`, alone. */
  async tell(line: string): Promise<string[]> {
    this.#output = ''
    this.#process.stdin!.write(`${line}\n`)
    const [answer] = await this.#until(/(^|\n)= (ok|\d+)\n/)
    const lines = answer
      .trimEnd()
      .split('\n')
      .map((text) => text.trimEnd())
    const last = lines.pop()!
    return last === '= ok' ? lines : [...lines, `errno ${last.slice(2)}`]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exit
    rmSync(this.#folder, { recursive: true })
  }

  async #until(pattern: RegExp): Promise<[string]> {
    const deadline = AbortSignal.timeout(this.#patienceMs)
    deadline.addEventListener('abort', () => this.#wake(), { once: true })
    for (;;) {
      const found = pattern.exec(this.#output)
      if (found) return [this.#output.slice(0, found.index + found[0].length)]
      if (this.#dead || deadline.aborted) throw new Error(`the guest said:\n${this.#output.slice(-2000)}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
