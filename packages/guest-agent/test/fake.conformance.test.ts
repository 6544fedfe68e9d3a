import { connectAgent } from '@spectrum/guest-agent'
import {
  agentConformance,
  type StoreSubject,
  storeConformance,
  type VolumeSubject,
  volumeConformance,
} from '@spectrum/guest-agent/conformance'
import { fakeAgentChannel } from '@spectrum/guest-agent/fake'
import { describe, it } from 'vitest'
import { clock } from './support/clock.js'
import { fakeProbe } from './support/fake-probe.js'

const [image, blob] = ['1'.repeat(64), '2'.repeat(64)]
const name = (letter: string) => `${letter.repeat(32)}-x`
const [one, two, probeName, other] = ['a', 'b', 'c', 'd'].map(name) as [string, string, string, string]

describe('the fake agent', () => {
  for (const check of agentConformance) it(check.name, () => check.run(open))
})

describe('the store of the fake agent', () => {
  for (const check of storeConformance) it(check.name, () => check.run(open))
})

describe('the volumes of the fake agent', () => {
  for (const check of volumeConformance) it(check.name, () => check.run(open))
})

/** Units come and go; what is on their volumes stays. */
const volumes = {
  small: { room: 4 << 20, files: new Map<string, Uint8Array>() },
  other: {},
  empty: { damaged: true },
}

async function open(): Promise<StoreSubject & VolumeSubject> {
  const unit = fakeAgentChannel(
    { clock },
    {
      programs: { '/probe': fakeProbe, [`/nix/store/${probeName}/bin/probe`]: fakeProbe },
      images: { [image]: [one, two] },
      devices: [image, blob],
      view: 'view',
      volumes,
    },
  )
  const agent = (await connectAgent(unit.channel, { clock }))._unsafeUnwrap()
  return {
    agent,
    probe: ['/probe'],
    services: '/run/spectrum/services',
    sockets: '/tmp',
    volumes: { small: 'small', other: 'other', empty: 'empty' },
    mount: { image, devices: [blob], paths: [one, two] },
    view: {
      tag: 'view',
      probeName,
      probeFile: 'bin/probe',
      other,
      async show(names) {
        unit.hideFromView([probeName, other])
        unit.showInView(names)
      },
    },
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  }
}
