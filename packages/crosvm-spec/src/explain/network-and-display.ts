import type { CrosvmMachine } from '../machine.js'
import type { Inventory } from './inventory.js'

export function describeNetwork(machine: CrosvmMachine, inventory: Inventory): void {
  machine.net?.forEach((card, index) => {
    const pairs = card.vqPairs ?? 1
    const vhost = card.vhostNet !== undefined
    inventory.add(
      `net ${index}`,
      'net',
      vhost ? "packets, in the host's kernel" : 'packets and offload headers',
      {
        policy: vhost ? 'vhost_net_device' : 'net_device',
        keeps: ['the tap'],
        paths: ['/dev/net/tun', ...(vhost ? [card.vhostNet?.device ?? '/dev/vhost-net'] : [])],
        queues: pairs * 2 + 1,
      },
    )
  })
  if (machine.vsock) {
    inventory.add('vsock', 'vsock', "stream packets, in the host's kernel", {
      policy: 'vhost_vsock_device',
      keeps: ['the vhost device'],
      paths: [machine.vsock.device ?? '/dev/vhost-vsock'],
      queues: 3,
    })
  }
  machine.vhostUser?.forEach((device, index) => {
    inventory.add(
      `vhost-user ${device.type} ${index}`,
      'vhostUser',
      'what its backend parses; the backend maps all guest memory',
      {
        process: 'main',
        sockets: [device.socket],
      },
    )
  })
}

export function describeDisplay(machine: CrosvmMachine, inventory: Inventory): void {
  const wayland = (machine.waylandSockets ?? []).map((socket) => socket.path)
  if (machine.gpu) {
    inventory.add('gpu', 'gpu', 'graphics commands of its context types, into host drivers', {
      policy: 'gpu_device',
      keeps: ['/dev/dri', '/sys/devices', '/sys/dev/char', 'host graphics libraries'],
      paths: [machine.gpu.cachePath, '/dev/dri'],
      sockets: wayland.slice(0, 1),
      queues: 2,
    })
  }
  if (machine.gpuRenderServer) {
    inventory.add('gpu render server', 'gpuRenderServer', 'command streams of the gpu', {
      policy: 'gpu_render_server',
      keeps: ['/dev/dri'],
      paths: [machine.gpuRenderServer.path],
    })
  }
  if (wayland.length > 0) {
    inventory.add('wl', 'waylandSockets', 'Wayland messages and descriptors, unchecked, for the compositor', {
      policy: 'wl_device',
      keeps: ["the sockets' directories"],
      sockets: wayland,
      queues: 2,
    })
  }
  machine.input?.forEach((input, index) => {
    const evdev = input.kind === 'evdev'
    inventory.add(`input ${index}`, 'input', 'event and status queues', {
      policy: 'input_device',
      paths: evdev ? [input.path] : [],
      sockets: evdev ? [] : [input.path],
      queues: 2,
    })
  })
  machine.sound?.forEach((sound, index) => {
    const policies = {
      null: 'snd_null_device',
      file: 'snd_null_device',
      cras: 'snd_cras_device',
      aaudio: 'snd_aaudio_device',
    }
    inventory.add(`snd ${index}`, 'sound', 'PCM requests', {
      policy: policies[sound.backend ?? 'null'],
      queues: 4,
    })
  })
  if (machine.viosSound !== undefined) {
    inventory.add('vios sound', 'viosSound', 'PCM requests', {
      policy: 'vios_audio_device',
      sockets: [machine.viosSound],
    })
  }
  for (const kind of ['videoDecoders', 'videoEncoders'] as const) {
    machine[kind]?.forEach((backend, index) => {
      inventory.add(`${kind} ${index}`, kind, `video streams, by ${backend}`, {
        policy: 'video_device',
        queues: 2,
      })
    })
  }
}
