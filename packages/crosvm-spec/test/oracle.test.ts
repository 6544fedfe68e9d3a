/**
 * crosvm's own parser as the judge. With a binary (CROSVM, or PATH) generated machines are judged now; always,
 * the verdicts recorded from a real binary are held against this package's.
 *
 * CROSVM_SPEC_ORACLE=5000 judges that many; CROSVM_SPEC_RECORD=1 writes the table anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CrosvmSpec, crosvmSpec, parseArgv, printArgv } from '../src/index.js'
import { absentOptions, parseHelp } from '../src/probe.js'
import {
  each,
  findCrosvm,
  hostileDirectories,
  judge,
  NO_KERNEL,
  runHelp,
  type Verdict,
} from './crosvm-binary.js'
import { machines } from './machines.js'

const table = new URL('./recorded/verdicts.jsonl', import.meta.url)
const crosvm = findCrosvm()
const runs = Number(process.env['CROSVM_SPEC_ORACLE'] ?? 300)

interface Recorded {
  readonly spec: unknown
  readonly argv: readonly string[]
  readonly verdict: Verdict
}

// JSON has no bigint: a string of this form stands for one.
const BIGINT = /^bigint:([0-9]+)$/
const toJson = (value: unknown) =>
  JSON.stringify(value, (_, held) => (typeof held === 'bigint' ? `bigint:${held}` : held))
const fromJson = (text: string) =>
  JSON.parse(text, (_, held) => {
    const found = typeof held === 'string' ? BIGINT.exec(held) : null
    return found ? BigInt(found[1]!) : held
  })

/** Command lines that are wrong by hand, and near misses of the grammar. */
const words = [
  ['--mem=2G'],
  ['--mem=+1'],
  ['--mem=0x100'],
  ['--mem=512,'],
  ['--mem=size=1_0'],
  ['--mem=1', '--mem=2'],
  ['-m', '512'],
  ['--params', '-x=1'],
  ['--params=-x=1'],
  ['--params=-h'],
  ['--params=--help'],
  ['-p=-x=1'],
  ['--block=a=b.img'],
  ['--block=path=/a=b.img'],
  ['--block=/a,ro'],
  ['--block=/a,ro=1'],
  ['--block=path=/a,direct,o_direct'],
  ['--block=path="/a\\n"'],
  ['--block=path="/a\\"b"'],
  ['--block=[path=/a]'],
  ['--block=path=/a,,ro'],
  ['--block=path=/a, ro'],
  ['--block=path=/a,id=xxxxxxxxxxxxxxxxxxxxx'],
  ['--block=path=/a,root', '--pmem=path=/b,root'],
  ['--net=tap-name=42'],
  ["--net=tap-name='42'"],
  ['--net=tap-name=trueblue'],
  ["--net=tap-name='trueblue'"],
  ['--net=tap-name=a,vhost-net'],
  ['--net=tap-name=a,vhost-net=true'],
  ['--net=tap-name=a,vhost-net=[device=/dev/x]'],
  ['--net=tap-name=a,mrg_rxbuf'],
  ['--net=tap-name=a,mrg-rxbuf'],
  ['--net=tap-name=a,mrg-rxbuf,packed-queue'],
  ['--net=a'],
  ['--cpus=num-cores=4,clusters=[[0-1],[2]]'],
  ['--cpus=num-cores=4,clusters=[["0-1"]]'],
  ["--cpus=num-cores=4,clusters=[['0-1']]"],
  ['--cpus=4,boot-cpu=1'],
  ['--cpus=num-cores=2,clusters=[[0],[0]]'],
  ['--cpu-affinity=0=0:1=1,2'],
  ['--cpu-affinity=3-1'],
  ['--cpu-capacity=0=1,0=2'],
  ['--serial=type=stdout,num=5'],
  ['--serial=type=stdout,num=0'],
  ['--serial=type=stdout,stdin,input=/i'],
  ['--serial=type=sink', '--serial=type=stdout,num=1'],
  ['--serial=type=sink,hardware=virtio-console,earlycon'],
  ['--serial=type=sink,pci-address=00:01.0'],
  ['--serial=type=sink,hardware=legacy-virtio-console,num=9'],
  ['--serial=sink'],
  ['--vsock=3'],
  ['--vsock=cid=3,max-queue-sizes=[1,2]'],
  ['--vsock=cid=3,max-queue-sizes=[1,2,3]'],
  ['--input=keyboard[path=/k]'],
  ['--input=keyboard[/k]'],
  ['--input=keyboard'],
  ['--hypervisor=kvm'],
  ['--hypervisor=kvm[device=/dev/kvm]'],
  ['--irqchip=split'],
  ['--nested=on'],
  ['--pmem=path=/a,vma-size=4096'],
  ['--pmem-ext2=/a:size=16777216'],
  ['--pmem-ext2=/a,size=16777216'],
  ['--shared-dir=/:t:type=fs:dax=true'],
  ['--shared-dir=/:t:type=fs:dax'],
  ['--shared-dir=/:t:type=xx'],
  ['--shared-dir=/:t'],
  ['--wayland-sock=/a', '--wayland-sock=/b'],
  ['--wayland-sock=/a', '--wayland-sock=/b,name=x'],
  ['--protected-vm', '--protected-vm-without-firmware'],
  ['--suspended', '--suspended-vcpus'],
  ['--disable-sandbox=true'],
  ['--disable-sandbox', '--disable-sandbox'],
  ['--unmap-guest-memory-on-fork'],
  ['--file-backed-mapping=path=/f,addr=1,size=4096'],
  ['--file-backed-mapping=path=/f,addr=4096,size=4096,rw'],
  ['--pci=mem=[start=0x1000,size=0x1000]'],
  ['--stub-pci-device=00:1f.3,class=0x140000'],
  ['--smbios=uuid=0a1b2c3d000040008000012345678901'],
  ['--param=x'],
  ['--no-pmu'],
  ['--bios=/b'],
  ['-s', '/run/x'],
  ['--core-scheduling=false'],
  ['--core-scheduling=1'],
  ['--balloon-bias-mib=-5'],
  ['--no-balloon', '--balloon-page-reporting'],
  ['--enable-hwp'],
  ['--host-cpu-topology', '--itmt'],
  ['--host-cpu-topology', '--no-smt'],
  ['--gdb=1234', '--cpus=2'],
  ['--gdb=1234', '--suspended'],
  ['--battery=type=goldfish'],
  ['--fw-cfg=name=a,string=b'],
  ['--coiommu='],
  ['--cpus='],
  ['--smbios=', '--name=x'],
  ['--vhost-user=fs,socket=/s'],
  ['--vfio=/sys/x,iommu=viommu'],
  ['--vfio=/sys/x,iommu=sometimes'],
]

// crosvm finds these sound, and this package refuses them with a reason of its own.
const stricter = new Map([
  ['--net=tap-name=a,mrg-rxbuf', ''],
  ['--cpus=num-cores=2,clusters=[[0],[0]]', 'no-machine'],
  ['--coiommu=', 'no-machine'],
])

const lineOf = (line: readonly string[]) => [
  '--extended-status',
  'run',
  ...line,
  ...(line[0]?.startsWith('--bios') ? [] : [NO_KERNEL]),
]

async function judgedSpecs(binary: string, count: number, seed: number | undefined) {
  using directories = hostileDirectories()
  const generated = machines(fc.constant(NO_KERNEL), fc.constantFrom(...directories.paths), ['logging'])
  const help = parseHelp(await runHelp(binary))._unsafeUnwrap()
  const specs = fc
    .sample(generated, { numRuns: count, ...(seed === undefined ? {} : { seed }) })
    .map((machine) => crosvmSpec(machine))
    .flatMap((made) => (made.isOk() ? [made.value] : []))
    // What is compiled out is the probe's business: it says so before anything starts.
    .filter((spec) => absentOptions(spec, help).length === 0)
  const judged: { spec: CrosvmSpec; argv: readonly string[]; verdict: Verdict; stderr: string }[] = []
  await each(specs, async (spec, index) => {
    const argv = printArgv(spec)
    judged[index] = { spec, argv, ...(await judge(binary, argv)) }
  })
  return judged
}

describe('crosvm itself', () => {
  test.skipIf(crosvm === undefined)(
    'accepts every generated machine (skipped where no crosvm is in CROSVM or on PATH)',
    { timeout: 1_800_000 },
    async () => {
      const judged = await judgedSpecs(crosvm!, runs, undefined)
      expect(judged.filter(({ verdict }) => verdict !== 'accepted')).toEqual([])
      // A sample that the filters emptied would show nothing.
      expect(judged.length).toBeGreaterThan(runs * 0.4)
      console.log(`crosvm accepted ${judged.length} of ${judged.length} generated machines`)
    },
  )

  test.skipIf(crosvm === undefined)(
    'agrees about command lines written by hand (skipped where no crosvm is in CROSVM or on PATH)',
    { timeout: 120_000 },
    async () => {
      const disagreements: unknown[] = []
      await each(words, async (line) => {
        const argv = lineOf(line)
        const { verdict, stderr } = await judge(crosvm!, argv)
        if (!agrees(argv, verdict)) disagreements.push({ line, verdict, stderr })
      })
      expect(disagreements).toEqual([])
    },
  )

  test('as recorded from a real binary gives the verdicts that this package gives', () => {
    const lines = readFileSync(table, 'utf8').trimEnd().split('\n')
    const recorded: readonly Recorded[] = lines.map(fromJson)
    expect(recorded.length).toBeGreaterThan(100)
    for (const { spec, argv, verdict } of recorded) {
      if (spec === null) expect({ argv, agrees: agrees(argv, verdict) }).toEqual({ argv, agrees: true })
      else {
        expect(printArgv(crosvmSpec(spec as never)._unsafeUnwrap())).toEqual(argv)
        expect(parseArgv(argv, { architecture: 'x86_64' })._unsafeUnwrap()).toEqual(spec)
        expect(verdict).toBe('accepted')
      }
    }
    if (crosvm === undefined) {
      console.warn(
        `skipped "crosvm itself accepts every generated machine" and "… agrees about command lines": no crosvm in CROSVM or on PATH; replayed ${recorded.length} recorded verdicts instead`,
      )
    }
  })

  test.runIf(crosvm !== undefined && process.env['CROSVM_SPEC_RECORD'] === '1')(
    'is recorded (skipped where CROSVM_SPEC_RECORD is not 1)',
    { timeout: 120_000 },
    async () => {
      const rows: Recorded[] = []
      for (const line of words) {
        const argv = lineOf(line)
        rows.push({ spec: null, argv, verdict: (await judge(crosvm!, argv)).verdict })
      }
      for (const { spec, argv, verdict } of await judgedSpecs(crosvm!, 160, 1)) {
        // The directories of a shared directory are temporary: not for a table.
        if (spec.sharedDirectories === undefined && toJson(spec).length < 4000)
          rows.push({ spec, argv, verdict })
      }
      writeFileSync(table, rows.map((row) => `${toJson(row)}\n`).join(''))
    },
  )
})

/** Whether this package judges as crosvm did, or is stricter for a reason that is written down here. */
function agrees(argv: readonly string[], verdict: Verdict): boolean {
  const made = parseArgv(argv, { architecture: 'x86_64' })
  const reason = made.isOk() ? '' : made.error.kind
  const line = argv.slice(2, -1).join(' ')
  const strict = stricter.get(line)
  if (strict !== undefined) return reason === strict
  if (verdict === 'accepted') return reason === ''
  // Here a combination may be told apart earlier, but never accepted.
  return verdict === 'refused-parse' ? reason === 'malformed' : reason !== ''
}
