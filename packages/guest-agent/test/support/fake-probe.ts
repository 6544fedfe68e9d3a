import { pattern } from '@spectrum/guest-agent/conformance'
import type { FakeProgram } from '@spectrum/guest-agent/fake'

const chunkBytes = 65_536

/** The probe of the conformance checks, as a program of a fake unit. */
export const fakeProbe: FakeProgram = async (process) => {
  const [, verb, operand = '', ...more] = process.argv
  const { stdout, stderr, killed } = process
  const forEver = () =>
    new Promise<never>((_, reject) => killed.addEventListener('abort', () => reject(killed)))
  switch (verb) {
    case 'echo':
      for (const word of process.argv.slice(2)) await stdout.write(`${word}\n`)
      return 0
    case 'fail':
      await stderr.write('failing\n')
      return Number(operand)
    case 'place': {
      const variables = Object.entries(process.env).map(([name, value]) => `${name}=${value}\n`)
      await stdout.write(`cwd=${process.cwd}\nleader=1\n${variables.join('')}`)
      return 0
    }
    case 'cat':
      for await (const chunk of process.stdin) await stdout.write(chunk)
      return 0
    case 'flood': {
      const total = Number(operand)
      const [out, error] = [pattern(total, 1), pattern(total, 2)]
      for (let at = 0; at < total; at += chunkBytes) {
        await stdout.write(out.subarray(at, at + chunkBytes))
        await stderr.write(error.subarray(at, at + chunkBytes))
      }
      return 0
    }
    case 'wait':
      await stdout.write('ready\n')
      return forEver()
    case 'wait-for-term': {
      const terminated = new Promise<void>((resolve) => process.onSignal(15, resolve))
      await stdout.write('ready\n')
      await terminated
      await stdout.write('terminated\n')
      return 0
    }
    case 'ignore-term':
      process.onSignal(15, () => {})
      await stdout.write('ready\n')
      return forEver()
    case 'who':
      await stdout.write(`uid=${process.user.uid} gid=${process.user.gid} groups=0\n`)
      return 0
    case 'terminal': {
      const { rows, columns } = process.terminal?.size ?? { rows: 0, columns: 0 }
      const has = process.terminal === undefined ? 0 : 1
      await stdout.write(`terminals=${3 * has} controlling=${has} size=${rows}x${columns}\n`)
      return 0
    }
    case 'watch-size': {
      const say = () => {
        const { rows, columns } = process.terminal!.size
        return stdout.write(`${rows}x${columns}\n`)
      }
      process.onSignal(28, () => void say())
      await say()
      return forEver()
    }
    case 'raw-flood': {
      process.terminal!.raw = true
      const bytes = pattern(Number(operand), 1)
      for (let at = 0; at < bytes.length; at += chunkBytes)
        await stdout.write(bytes.subarray(at, at + chunkBytes))
      return 0
    }
    case 'raw-count': {
      process.terminal!.raw = true
      await stdout.write('ready\n')
      let left = Number(operand)
      for await (const chunk of process.stdin) {
        left -= chunk.length
        if (left === 0) break
      }
      await stdout.write('counted\n')
      return 0
    }
    case 'mkdir':
      process.files.make(operand, { kind: 'directory' })
      return 0
    case 'fifo':
      process.files.make(operand, { kind: 'fifo' })
      return 0
    case 'link':
      process.files.make(more[0]!, { kind: 'link', target: operand })
      return 0
    case 'list':
      for (const path of process.files.list(operand))
        await stdout.write(`${path.slice(operand.length + 1)}\n`)
      return 0
    case 'close-stdin': {
      const stdin = process.stdin[Symbol.asyncIterator]()
      await stdin.return?.()
      await stdout.write('closed\n')
      return forEver()
    }
    case 'call': {
      const socket = process.connect(operand)
      void (async () => {
        for await (const chunk of process.stdin) await socket.write(chunk)
        socket.end()
      })().catch(() => {})
      for await (const chunk of socket.incoming) await stdout.write(chunk)
      return 0
    }
    case 'call-often': {
      const sockets = Array.from({ length: Number(more[0]) }, () => process.connect(operand))
      await stdout.write('called\n')
      const first = await sockets.at(-1)!.incoming[Symbol.asyncIterator]().next()
      await stdout.write(first.done === true ? 'last ended\n' : 'last answered\n')
      for await (const chunk of process.stdin) await stdout.write(chunk)
      return 0
    }
    case 'write-for-ever': {
      const socket = process.connect(operand)
      await stdout.write('writing\n')
      try {
        for (;;) await socket.write(new Uint8Array(chunkBytes))
      } catch (cause) {
        await stdout.write(`${(cause as Error).message}\n`)
      }
      return 0
    }
    case 'hang-up':
      await process.connect(operand).write('hello')
      return 0
    case 'serve':
      process.listen(operand, async (socket) => {
        for await (const chunk of socket.incoming) await socket.write(chunk)
      })
      await stdout.write('listening\n')
      return forEver()
    default:
      throw new Error(`no such verb: ${verb} ${more.join(' ')}`)
  }
}
