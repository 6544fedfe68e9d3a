import type { Machine, Monitor } from '@spectrum/unit-monitor'
import type { HostPowers } from '@spectrum/unit-runtime'

/** The fake's machines, but for what `change` gives them. */
export function withMachines(
  powers: HostPowers,
  change: Partial<Machine> | ((machine: Machine) => Partial<Machine>),
): HostPowers {
  const changed = (machine: Machine): Machine => ({
    name: machine.name,
    processes: machine.processes,
    control: machine.control,
    events: machine.events,
    exit: machine.exit,
    room: machine.room,
    lastLines: () => machine.lastLines(),
    addPmem: (...given) => machine.addPmem(...given),
    kill: (...given) => machine.kill(...given),
    [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose](),
    ...(typeof change === 'function' ? change(machine) : change),
  })
  const { chooseMonitor } = powers
  return {
    ...powers,
    chooseMonitor: (...given) =>
      chooseMonitor(...given).map((choice) => {
        const { kind, accelerator, capabilities, start } = choice.monitor
        const monitor: Monitor = {
          kind,
          accelerator,
          capabilities,
          start: (...described) => start(...described).map(changed),
        }
        return { ...choice, monitor }
      }),
  }
}
