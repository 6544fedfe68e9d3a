import type { Agent, AgentError } from '@spectrum/guest-agent'
import { okAsync, ResultAsync } from 'neverthrow'
import { expect, it } from 'vitest'
import { awakenWith } from '../../src/disposable/awaken.js'

const powers = { epochMs: () => 1_900_000_000_000.4, randomHex: (bytes: number) => 'ab'.repeat(bytes) }

it('tells a guest its time before it has answered about entropy, which it is told first', async () => {
  const told: unknown[] = []
  let clockIsTold: () => void = () => {}
  const agent = {
    addEntropy: (bytes: Uint8Array) => {
      told.push(bytes.length)
      return ResultAsync.fromSafePromise(new Promise<void>((resolve) => (clockIsTold = resolve)))
    },
    setClock: (epochMs: number) => {
      told.push(epochMs)
      clockIsTold()
      return okAsync({ stepMs: 0 })
    },
  } as unknown as Agent
  expect((await awakenWith(powers)(agent, {})).isOk()).toBe(true)
  expect(told).toEqual([32, 1_900_000_000_000])
})

it('does not take a guest for awake that took only one of them', async () => {
  const error: AgentError = { kind: 'refused', errno: 'EPERM', message: 'the kernel takes no entropy' }
  const agent = {
    addEntropy: () => ResultAsync.fromPromise(Promise.reject(error), (cause) => cause as AgentError),
    setClock: () => okAsync({ stepMs: 0 }),
  } as unknown as Agent
  expect((await awakenWith(powers)(agent, {}))._unsafeUnwrapErr()).toEqual(error)
})
