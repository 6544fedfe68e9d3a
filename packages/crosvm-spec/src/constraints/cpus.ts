import { cpusOf } from '../grammar/cpu-set.js'
import { type Complaint, complain, type Rule, vcpus } from './rule.js'

const queuePairsFitVcpus: Rule = (machine) =>
  (machine.net ?? []).flatMap((card, index) =>
    (card.vqPairs ?? 1) <= vcpus(machine)
      ? []
      : complain(
          `net.${index}.vqPairs`,
          `must be at most the ${vcpus(machine)} vCPUs, or crosvm quietly makes it 1`,
        ),
  )

const hostTopologyStandsAlone: Rule = (machine, host) => {
  const { hostTopology, affinity, cpuCapacity, cpus, smt, cpuFrequenciesKhz } = machine
  if (hostTopology === undefined) return undefined
  const wrong: Complaint[] = []
  const exclude = (present: boolean, name: string) => {
    if (present) wrong.push(complain('hostTopology', `excludes ${name}: the host's own is used; drop one`))
  }
  exclude(affinity !== undefined, 'affinity')
  exclude(cpuCapacity !== undefined, 'cpuCapacity')
  exclude(cpus?.clusters !== undefined, 'cpus.clusters')
  exclude(cpus?.coreTypes !== undefined, 'cpus.coreTypes')
  exclude(smt === false, 'smt: false')
  exclude(cpuFrequenciesKhz !== undefined, 'cpuFrequenciesKhz')
  if (cpus?.count !== undefined && host.onlineCpus !== undefined && cpus.count !== host.onlineCpus) {
    wrong.push(complain('cpus.count', `must be the host's ${host.onlineCpus} online CPUs, or absent`))
  }
  return wrong
}

/** The MP table of x86 counts processors in 8 bits: crosvm refuses 255 and more at start. */
const vcpusFit: Rule = (machine) =>
  machine.architecture === 'x86_64' && vcpus(machine) > 254
    ? complain('cpus.count', 'must be at most 254 on x86_64')
    : undefined

const coreTypesNameEveryVcpu: Rule = (machine) => {
  const types = machine.cpus?.coreTypes
  if (types === undefined) return undefined
  const named = [...cpusOf(types.atom), ...cpusOf(types.core)].sort((a, b) => a - b)
  const every = named.length === vcpus(machine) && named.every((cpu, index) => cpu === index)
  return every ? undefined : complain('cpus.coreTypes', `must name each of the ${vcpus(machine)} vCPUs once`)
}

const vcpusInRange: Rule = (machine) => {
  const most = vcpus(machine)
  // With the host's topology the count may be the host's, which is unknown here.
  if (machine.hostTopology !== undefined && machine.cpus?.count === undefined) return undefined
  const wrong: Complaint[] = []
  if ((machine.cpus?.bootCpu ?? 0) >= most) wrong.push(complain('cpus.bootCpu', `must be below ${most}`))
  for (const property of [
    'cpuCapacity',
    'dynamicPowerCoefficient',
    'cpuFrequenciesKhz',
    'cpuIpcRatio',
  ] as const) {
    const named = Object.keys(machine[property] ?? {}).map(Number)
    if (named.some((cpu) => cpu >= most))
      wrong.push(complain(property, `names a vCPU that is not below ${most}`))
  }
  return wrong
}

/** `clusters` and the two lists of core types are sets: crosvm refuses a vCPU that is in two of them. */
const clustersDoNotOverlap: Rule = (machine) => {
  const named = (machine.cpus?.clusters ?? []).flatMap(cpusOf)
  return new Set(named).size === named.length
    ? undefined
    : complain('cpus.clusters', 'a vCPU is in two clusters: name each once')
}

const cpufreqHasItsParts: Rule = ({
  virtCpufreq,
  cpuFrequenciesKhz,
  hostTopology,
  affinity,
  cpuCapacity,
}) => {
  if (cpuFrequenciesKhz !== undefined && virtCpufreq !== 'upstream') {
    return complain('cpuFrequenciesKhz', "needs virtCpufreq: 'upstream'")
  }
  if (virtCpufreq !== 'downstream' || hostTopology !== undefined) return undefined
  return affinity !== undefined && cpuCapacity !== undefined
    ? undefined
    : complain('virtCpufreq', 'needs hostTopology, or both affinity and cpuCapacity')
}

const gdbWantsOneVcpu: Rule = (machine) =>
  machine.start?.kind === 'gdb' && vcpus(machine) !== 1
    ? complain('start', 'gdb works with one vCPU: drop cpus.count')
    : undefined

const cpuConfigOfArchitecture: Rule = ({ architecture, cpus, pci, irqChip, hypervisor }) => {
  const wrong: Complaint[] = []
  const only = (present: boolean, property: string, where: string) => {
    if (present && architecture !== where) wrong.push(complain(property, `exists on ${where} only: drop it`))
  }
  only(cpus?.coreTypes !== undefined, 'cpus.coreTypes', 'x86_64')
  only(cpus?.mte !== undefined, 'cpus.mte', 'aarch64')
  only(cpus?.sve !== undefined, 'cpus.sve', 'aarch64')
  only(pci?.ecam !== undefined, 'pci.ecam', 'x86_64')
  only(pci?.cam !== undefined, 'pci.cam', 'aarch64')
  only(irqChip?.kind === 'split', 'irqChip', 'x86_64')
  only(irqChip?.kind === 'kernel' && irqChip.allowVgicIts !== undefined, 'irqChip.allowVgicIts', 'aarch64')
  only(hypervisor !== undefined && hypervisor.kind !== 'kvm', 'hypervisor', 'aarch64')
  return wrong
}

export const cpuRules: readonly Rule[] = [
  queuePairsFitVcpus,
  hostTopologyStandsAlone,
  vcpusFit,
  coreTypesNameEveryVcpu,
  vcpusInRange,
  clustersDoNotOverlap,
  cpufreqHasItsParts,
  gdbWantsOneVcpu,
  cpuConfigOfArchitecture,
]
