import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agent, type AgentError, connectAgent, type UnitNeeds } from '@spectrum/guest-agent'
import { type GuestKernel, initramfsFor, readGuestKernel } from '@spectrum/guest-agent/linux'
import type { ResultAsync } from 'neverthrow'
import { buildAgent } from './built.js'
import { clock } from './clock.js'
import { socketChannel } from './socket-channel.js'

/** The kernel that the user names, or the one that the set-up unpacked. */
export async function guestKernel(needs: UnitNeeds = {}): Promise<GuestKernel> {
  const { SPECTRUM_KERNEL: image, SPECTRUM_KERNEL_MODULES: modulesDirectory } = process.env
  if (image !== undefined && modulesDirectory !== undefined) {
    return (await readGuestKernel({ image, modulesDirectory, needs }))._unsafeUnwrap()
  }
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const root = join(cache, 'spectrum/guest-kernel/current')
  const release = existsSync(`${root}/lib/modules`) ? readdirSync(`${root}/lib/modules`)[0] : undefined
  if (release === undefined) throw new Error('no guest kernel: run the set-up, or set SPECTRUM_KERNEL')
  return (
    await readGuestKernel({
      image: `${root}/boot/vmlinuz-${release}`,
      modulesDirectory: `${root}/lib/modules/${release}`,
      needs,
    })
  )._unsafeUnwrap()
}

export interface MachineOptions {
  readonly kernel: GuestKernel
  /** Files for virtio-pmem devices that are there from the start. */
  readonly pmem?: readonly string[]
  readonly hotplugSlots?: number
  /** Files for virtio-blk devices. */
  readonly disks?: readonly string[]
  /** Files for virtio-blk devices that can be written, by serial number. */
  readonly volumes?: Readonly<Record<string, string>>
  /** A virtio-fs device with this tag, whose server listens at the socket. */
  readonly view?: { readonly tag: string; readonly socket: string }
  readonly memoryMiB?: number
  readonly initramfs?: Uint8Array
}

/** A machine under software emulation with an agent in it. */
export class TestMachine implements AsyncDisposable {
  readonly directory: string
  readonly #process: ChildProcess
  readonly exit: Promise<number | null>
  readonly socket: Promise<Socket>
  #nextSlot = 0

  private constructor(directory: string, process: ChildProcess, socket: Promise<Socket>) {
    this.directory = directory
    this.#process = process
    this.socket = socket
    this.exit = once(process, 'exit').then(([code]) => code as number | null)
  }

  static async boot(options: MachineOptions): Promise<TestMachine> {
    buildAgent()
    const directory = mkdtempSync(join(tmpdir(), 'guest-agent-'))
    const initramfs = options.initramfs ?? (await initramfsFor(options.kernel))._unsafeUnwrap()
    writeFileSync(join(directory, 'initramfs'), initramfs)
    const server = createServer()
    server.listen(join(directory, 'control'))
    await once(server, 'listening')
    const socket = once(server, 'connection').then(([peer]) => {
      server.close()
      return peer as Socket
    })
    const slots = options.hotplugSlots ?? 0
    const memory = options.memoryMiB ?? 256
    const argv = [
      ...['-accel', 'tcg', '-cpu', 'max', '-M', 'q35', '-nodefaults', '-no-user-config', '-display', 'none'],
      ...['-m', `${memory}M,slots=${8 + slots},maxmem=4G`],
      ...viewArguments(options.view, memory),
      ...['-kernel', options.kernel.image, '-initrd', join(directory, 'initramfs')],
      ...['-append', 'console=ttyS0 no_timer_check panic=-1 loglevel=5'],
      ...['-serial', `file:${join(directory, 'console')}`],
      ...['-device', 'virtio-serial-pci'],
      ...['-chardev', `socket,id=control,path=${join(directory, 'control')}`],
      ...['-device', `virtserialport,chardev=control,name=control`],
      ...['-qmp', `unix:${join(directory, 'qmp')},server=on,wait=off`],
      ...(options.pmem ?? []).flatMap((file, index) => [
        ...['-object', `memory-backend-file,id=m${index},${backend(file)}`],
        ...['-device', `virtio-pmem-pci,memdev=m${index}`],
      ]),
      ...(options.disks ?? []).flatMap((file, index) => [
        ...['-blockdev', `driver=file,node-name=d${index},filename=${file},read-only=on,auto-read-only=off`],
        ...['-device', `virtio-blk-pci,drive=d${index}`],
      ]),
      ...Object.entries(options.volumes ?? {}).flatMap(([serial, file], index) => [
        ...['-blockdev', `driver=file,node-name=v${index},filename=${file}`],
        ...['-device', `virtio-blk-pci,id=disk-${serial},drive=v${index},serial=${serial}`],
      ]),
      ...Array.from({ length: slots }, (_, index) => [
        '-device',
        `pcie-root-port,id=slot${index},chassis=${index + 1}`,
      ]).flat(),
    ]
    const child = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'inherit', 'inherit'] })
    return new TestMachine(directory, child, socket)
  }

  connect(): ResultAsync<Agent, AgentError> {
    const channel = this.socket.then(socketChannel)
    return connectAgent(
      {
        incoming: (async function* () {
          yield* (await channel).incoming
        })(),
        write: async (bytes) => (await channel).write(bytes),
        close: () => void channel.then((open) => open.close()),
      },
      { clock },
    )
  }

  console(): string {
    return readFileSync(join(this.directory, 'console'), 'utf8')
  }

  /** Hot-plugs a device. */
  async plug(file: string): Promise<void> {
    const slot = this.#nextSlot++
    const [how, ...rest] = [`hot${slot}`, ...backend(file).split(',')]
    const properties = Object.fromEntries(rest.map((pair) => pair.split('=') as [string, string]))
    await this.#qmp([
      {
        execute: 'object-add',
        arguments: {
          'qom-type': 'memory-backend-file',
          id: how,
          'mem-path': properties['mem-path'],
          size: Number(properties['size']),
          share: true,
          readonly: true,
        },
      },
      { execute: 'device_add', arguments: { driver: 'virtio-pmem-pci', memdev: how, bus: `slot${slot}` } },
    ])
  }

  /** Hot-plugs a disk that answers no request for ten minutes. */
  async plugHangingDisk(serial: string): Promise<void> {
    const slot = this.#nextSlot++
    const latency = 600_000_000_000
    // QEMU itself would read from it to guess them.
    const geometry = { cyls: 32, heads: 16, secs: 63 }
    await this.#qmp([
      {
        execute: 'blockdev-add',
        arguments: { driver: 'null-co', 'node-name': serial, size: 16 << 20, 'latency-ns': latency },
      },
      {
        execute: 'device_add',
        arguments: { driver: 'virtio-blk-pci', drive: serial, serial, bus: `slot${slot}`, ...geometry },
      },
    ])
  }

  /** From now on a volume's disk takes a second for each byte. */
  async silence(serial: string): Promise<void> {
    const unbounded = { bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 }
    const bounds = { id: `/machine/peripheral/disk-${serial}/virtio-backend`, bps: 1, ...unbounded }
    await this.#qmp([{ execute: 'block_set_io_throttle', arguments: bounds }])
  }

  async #qmp(commands: readonly object[]): Promise<void> {
    const socket = createConnection(join(this.directory, 'qmp'))
    const pending = [{ execute: 'qmp_capabilities' }, ...commands]
    let text = ''
    for await (const chunk of socket) {
      text += String(chunk)
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const message = JSON.parse(text.slice(0, end))
        text = text.slice(end + 1)
        if ('error' in message) throw new Error(JSON.stringify(message.error))
        if (!('QMP' in message) && !('return' in message)) continue
        const next = pending.shift()
        if (next === undefined) return void socket.destroy()
        socket.write(`${JSON.stringify(next)}\n`)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.exit
    void this.socket.then((socket) => socket.destroy())
    rmSync(this.directory, { recursive: true, force: true })
  }
}

const backend = (file: string): string => `mem-path=${file},size=${statSync(file).size},share=on,readonly=on`

function viewArguments(view: MachineOptions['view'], memoryMiB: number): readonly string[] {
  if (view === undefined) return []
  return [
    ...['-object', `memory-backend-memfd,id=ram,size=${memoryMiB}M,share=on`],
    ...['-machine', 'memory-backend=ram'],
    ...['-chardev', `socket,id=view,path=${view.socket}`],
    ...['-device', `vhost-user-fs-pci,chardev=view,tag=${view.tag}`],
  ]
}
