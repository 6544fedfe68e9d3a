import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { architectures } from './architectures.mjs'
import { LabFailure } from './failure.mjs'

const virtiofsdPaths = ['/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd']
const keptLogBytes = 1 << 20

const kernelParameters = [
  'panic=-1',
  'mitigations=off',
  'nowatchdog',
  'cryptomgr.notests',
  'random.trust_cpu=on',
]

/** The newest bytes of what a process or a kernel said. */
class Log {
  #parts = []
  #length = 0

  constructor(stream) {
    stream.on('data', (bytes) => {
      this.#parts.push(bytes)
      this.#length += bytes.length
      while (this.#length - this.#parts[0].length > keptLogBytes) this.#length -= this.#parts.shift().length
    })
    // A reset only says that the process has gone, and its exit says that better.
    stream.on('error', () => {})
  }

  get text() {
    return Buffer.concat(this.#parts).toString('utf8')
  }
}

/**
 * The emulated machine and the process that serves the host's root to it. Both end with this program, however
 * it ends: the kernel kills them when their parent dies.
 */
export class LabMachine {
  #qemu
  #server
  #log
  #complaints
  #serverLog
  #gone

  /** Duplex streams of the ports. */
  status
  stdout
  stderr

  /**
   * @param {{ architecture: string, directory: string, serveRoot: string, kernelImage: string, initramfs: string, memoryMib: number,
   *   vcpus: number }} parts `directory` is private to this machine and is removed by the caller.
   */
  static async start(parts) {
    const machine = new LabMachine()
    try {
      await machine.#start(parts)
      return machine
    } catch (failure) {
      await machine.stop()
      throw failure
    }
  }

  async #start({ architecture, directory, serveRoot, kernelImage, initramfs, memoryMib, vcpus }) {
    const machine = architectures[architecture]
    const root = machine.root === '9p' ? directRoot() : await this.#serveRoot(directory, serveRoot)
    const qemu = qemuArguments(machine, { root, kernelImage, initramfs, memoryMib, vcpus })
    const pipes = ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe']
    this.#qemu = await launch(qemu[0], 'setpriv', ['--pdeathsig', 'KILL', '--', ...qemu], pipes)
    this.#complaints = new Log(this.#qemu.stderr)
    this.#qemu.stdout.resume()
    const [, , , console, stdout, stderr, status] = this.#qemu.stdio
    this.#log = new Log(console)
    Object.assign(this, { stdout, stderr, status })
    for (const port of [stdout, stderr, status]) port.on('error', () => {})
    this.#gone = ended(this.#qemu) ? Promise.resolve() : once(this.#qemu, 'exit')
  }

  /** Starts virtiofsd on a read-only view of the host's root; resolves with QEMU's arguments for it. */
  async #serveRoot(directory, serveRoot) {
    const virtiofsd = virtiofsdPaths.find((path) => existsSync(path))
    if (!virtiofsd) throw new LabFailure("virtiofsd is missing: install Debian's qemu-system-common")
    const socket = join(directory, 'root.sock')
    const serverArguments = ['-f', '-o', 'cache=always', '-o', 'log_level=warn']
    this.#server = await launch(
      'virtiofsd',
      serveRoot,
      [socket, String(process.pid), virtiofsd, ...serverArguments],
      ['ignore', 'ignore', 'pipe'],
    )
    this.#serverLog = new Log(this.#server.stderr)
    for (let waited = 0; !existsSync(socket); waited += 10) {
      if (ended(this.#server) || waited > 10_000)
        throw new LabFailure(`virtiofsd did not start: ${this.#serverLog.text.trim() || 'it said nothing'}`)
      await delay(10)
    }
    return [
      ['-chardev', `socket,id=root,path=${socket}`],
      ['-device', 'vhost-user-fs-pci,chardev=root,tag=host-root'],
    ]
  }

  /** Resolves when QEMU has ended, whoever ended it. */
  get gone() {
    return this.#gone
  }

  get kernelLog() {
    return this.#log?.text ?? ''
  }

  /** What QEMU and virtiofsd complained about. */
  get complaints() {
    return [this.#complaints, this.#serverLog]
      .map((log) => log?.text.trim() ?? '')
      .filter(Boolean)
      .join('\n')
  }

  /** Kills both and resolves when they are reaped. Idempotent. */
  async stop() {
    await kill(this.#qemu)
    // virtiofsd ends by itself when its only client has gone; its own child, in a PID namespace, with it.
    if (this.#server && !ended(this.#server) && this.#qemu)
      await Promise.race([once(this.#server, 'exit'), delay(2000, undefined, { ref: false })])
    await kill(this.#server)
  }
}

/** QEMU serves the host's root itself, and refuses to write. */
const directRoot = () => [
  ['-fsdev', 'local,id=root,path=/,security_model=none,multidevs=remap,readonly=on'],
  ['-device', 'virtio-9p-pci,fsdev=root,mount_tag=host-root'],
]

function qemuArguments(machine, { root, kernelImage, initramfs, memoryMib, vcpus }) {
  const port = (name, fd) => [
    ['-chardev', `socket,id=${name},fd=${fd}`],
    ['-device', `virtserialport,chardev=${name},name=lab.${name}`],
  ]
  return [
    ...machine.qemu.flat(),
    ['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ['-name', 'spectrum-lab'],
    ['-accel', 'tcg,thread=multi'],
    ['-smp', String(vcpus)],
    ['-m', `${memoryMib}M`],
    // virtiofsd reads and writes the guest's memory, so the memory is a file that both map.
    ['-object', `memory-backend-memfd,id=memory,size=${memoryMib}M,share=on`],
    ...root,
    ['-chardev', 'socket,id=console,fd=3'],
    ['-serial', 'chardev:console'],
    ['-device', 'virtio-serial-pci'],
    ...port('stdout', 4),
    ...port('stderr', 5),
    ...port('status', 6),
    ['-device', 'virtio-rng-pci'],
    ['-kernel', kernelImage],
    ['-initrd', initramfs],
    ['-append', [`console=${machine.console}`, ...kernelParameters, ...machine.kernelParameters].join(' ')],
  ].flat()
}

/** Spawns in a process group of its own, so that Ctrl-C reaches this program alone and it decides. */
async function launch(name, file, argv, stdio) {
  const child = spawn(file, argv, { stdio, detached: true, env: childEnvironment() })
  try {
    await once(child, 'spawn')
  } catch (cause) {
    throw new LabFailure(`cannot start ${name}: ${cause.message}. Run "npm run setup".`)
  }
  return child
}

function childEnvironment() {
  const { PATH, TMPDIR } = process.env
  return { PATH, LC_ALL: 'C', ...(TMPDIR && { TMPDIR }) }
}

const ended = (child) => child.exitCode !== null || child.signalCode !== null

async function kill(child) {
  if (!child || ended(child)) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
