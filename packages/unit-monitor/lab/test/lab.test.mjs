import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../lab.mjs', import.meta.url))
const proof = fileURLToPath(new URL('../proof.mjs', import.meta.url))
const intruderSource = fileURLToPath(new URL('intruder.c', import.meta.url))
const limit = { timeout: 240_000 }

/** Each test has a temporary directory of its own; whatever carries its name later is a leftover of its labs. */
async function inPlace(body) {
  const temporary = mkdtempSync(join(tmpdir(), 'lab-test-'))
  try {
    await body(placeAt(temporary))
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function placeAt(temporary) {
  const startLabOf = (architecture, ...words) => {
    const child = spawn(process.execPath, [program, architecture, ...words], {
      env: { ...process.env, TMPDIR: temporary, SPECTRUM_PASSED_ON: 'yes', OTHER_SECRET: 'no' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: [], stderr: [] }
    for (const name of ['stdout', 'stderr']) child[name].on('data', (bytes) => output[name].push(bytes))
    const text = (name) => Buffer.concat(output[name])
    const done = once(child, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout: text('stdout'),
      stderr: text('stderr'),
    }))
    const sees = async (needle) => {
      while (!text('stdout').includes(needle)) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the lab ended without "${needle}": ${text('stderr')}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    return { child, done, sees }
  }

  /** Processes that were started with this place in their environment, by name. */
  const processesLeft = () =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          if (!readFileSync(`/proc/${pid}/environ`).includes(temporary)) return []
          return [readFileSync(`/proc/${pid}/comm`, 'utf8').trim()]
        } catch {
          return [] // it ended while we looked
        }
      })

  const expectNothingLeft = async () => {
    const deadline = performance.now() + 5_000
    while (processesLeft().length > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(processesLeft()).toEqual([])
    expect(readdirSync(temporary)).toEqual([])
  }

  const startLab = (...words) => startLabOf('x86_64', ...words)
  const runLab = (...words) => startLab(...words).done
  return { temporary, startLabOf, startLab, runLab, processesLeft, expectNothingLeft }
}

describe.concurrent('a lab', () => {
  it('gives back what the command wrote, byte for byte, and its exit status', limit, () =>
    inPlace(async ({ runLab, expectNothingLeft }) => {
      const script = `
      const bytes = Buffer.alloc(3_000_001, Uint8Array.from({ length: 257 }, (_, i) => i))
      process.stdout.write(bytes)
      process.stderr.write(bytes.subarray(0, 70_003))
      process.exitCode = 7`
      const { code, stdout, stderr } = await runLab('--', 'node', '-e', script)
      const bytes = Buffer.alloc(
        3_000_001,
        Uint8Array.from({ length: 257 }, (_, i) => i),
      )
      expect(stdout.equals(bytes)).toBe(true)
      expect(stderr.equals(bytes.subarray(0, 70_003))).toBe(true)
      expect(code).toBe(7)
      await expectNothingLeft()
    }),
  )

  it('runs as root in the same directory, on a root that it can write and the host cannot lose', limit, () =>
    inPlace(async ({ runLab }) => {
      const script = `
      id -u; pwd; cat | wc -c; stat -c %F /dev/kvm; echo "$SPECTRUM_PASSED_ON $OTHER_SECRET $TERM"
      echo changed > package.json && cat package.json
      mount -t virtiofs host-root /mnt && mount -o remount,rw /mnt; touch "/mnt$PWD/written-through"
      kill -9 $$`
      const { code, stdout, stderr } = await runLab('--', 'sh', '-c', script)
      expect(stdout.toString().split('\n')).toEqual([
        ...['0', process.cwd(), '0', 'character special file', 'yes  ', 'changed', ''],
      ])
      expect(stderr.toString()).toContain('Read-only file system')
      expect(readFileSync('package.json', 'utf8')).not.toContain('changed')
      expect(readdirSync('.')).not.toContain('written-through')
      expect(code).toBe(128 + 9)
    }),
  )

  it('has a KVM on which a stock kernel boots', limit, () =>
    inPlace(async ({ runLab }) => {
      const { code, stdout, stderr } = await runLab('--', 'node', proof)
      expect(stderr.toString()).toBe('')
      expect(stdout.toString()).toMatch(/^proof: hypervisor=KVMKVMKVM kernel=/)
      expect(code).toBe(0)
    }),
  )

  it('ends at its deadline and shows the kernel log', limit, () =>
    inPlace(async ({ runLab, expectNothingLeft }) => {
      const { code, stderr } = await runLab('--timeout', '5', '--', 'sleep', '600')
      expect(stderr.toString()).toContain('lab: ended after 5 s')
      expect(stderr.toString()).toContain('Linux version')
      expect(code).toBe(124)
      await expectNothingLeft()
    }),
  )

  it('takes everything with it when it is interrupted', limit, () =>
    inPlace(async ({ startLab, processesLeft, expectNothingLeft }) => {
      const { child, done, sees } = startLab('--', 'sh', '-c', 'echo up; exec sleep 600')
      await sees('up')
      expect(processesLeft()).toContain('qemu-system-x86')
      expect(processesLeft()).toContain('virtiofsd')
      child.kill('SIGINT')
      expect((await done).code).toBe(130)
      await expectNothingLeft()
    }),
  )

  it('takes everything with it when it is killed', limit, () =>
    inPlace(async ({ startLab, expectNothingLeft }) => {
      const { child, done, sees } = startLab('--', 'sh', '-c', 'echo up; exec sleep 600')
      await sees('up')
      child.kill('SIGKILL')
      expect((await done).signal).toBe('SIGKILL')
      await expectNothingLeft()
    }),
  )

  it('says what is wrong with a command line, and starts nothing', () =>
    inPlace(async ({ runLab, expectNothingLeft }) => {
      const cases = [
        [['--timeout', 'soon', '--', 'true'], '--timeout wants a whole number from 1 to 86400, got "soon"'],
        [['--timeout', '0', '--', 'true'], '--timeout wants a whole number'],
        [['--vcpus', '65', '--', 'true'], '--vcpus wants a whole number from 1 to 64'],
        [['--cores', '2', '--', 'true'], 'unknown option --cores'],
        [['true'], 'put -- before the command'],
        [['--'], 'name the command to run'],
      ]
      for (const [words, message] of cases) {
        const { code, stderr } = await runLab(...words)
        expect(stderr.toString()).toContain(message)
        expect(code).toBe(125)
      }
      await expectNothingLeft()
    }))
})

describe.concurrent.each([
  {
    architecture: 'aarch64',
    node: 'arm64',
    compiler: 'aarch64-linux-gnu-gcc',
    refusal: 'Read-only file system',
  },
  {
    architecture: 'ppc64le',
    node: 'ppc64',
    compiler: 'powerpc64le-linux-gnu-gcc',
    refusal: 'Device or resource busy',
  },
])('the $architecture lab', ({ architecture, node, compiler, refusal }) => {
  it(
    'runs a Node of that architecture, and programs compiled for it, on a root that the host cannot lose',
    limit,
    () =>
      inPlace(async ({ temporary, startLabOf, processesLeft }) => {
        const intruder = join(temporary, 'intruder')
        execFileSync(compiler, ['-static', '-Wall', '-Werror', '-o', intruder, intruderSource], {
          timeout: 60_000,
          killSignal: 'SIGKILL',
        })
        const script = `
      const { writeFileSync } = require('node:fs')
      const { execFileSync } = require('node:child_process')
      writeFileSync(process.argv[1] + '/written', 'in the lab')
      const said = execFileSync(process.argv[1] + '/intruder', [process.argv[1]], { encoding: 'utf8' })
      console.log(process.arch, process.env.SPECTRUM_LAB, said.trim())`
        const words = ['--memory', '1024', '--', 'node', '-e', script, temporary]
        const { code, stdout, stderr } = await startLabOf(architecture, ...words).done
        expect([code, stderr.toString()]).toEqual([0, ''])
        expect(stdout.toString()).toBe(`${node} ${architecture} ${refusal}\n`)
        expect(readdirSync(temporary).sort()).toEqual(['intruder'])
        expect(processesLeft()).toEqual([])
      }),
  )
})
