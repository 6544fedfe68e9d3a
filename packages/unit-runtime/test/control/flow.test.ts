import { controlLimits } from '@spectrum/unit-runtime/control'
import { describe, expect, it } from 'vitest'
import { Credit } from '../../src/control/flow.js'
import { settle } from '../supervision/watched-host.js'

const { window } = controlLimits

/** A stream to which several senders send at once, and what has come out of it. */
function opened() {
  const credit = new Credit()
  let sent = ''
  return {
    credit,
    send: (text: string) =>
      credit.send(Buffer.from(text), async (chunk) => {
        sent += Buffer.from(chunk).toString()
      }),
    sent: () => sent,
  }
}

describe('a stream with credit', () => {
  it('carries what several senders give it one after the other, each whole', async () => {
    const { credit, send, sent } = opened()
    const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(window * 0.75))
    const all = Promise.all(texts.map(send))
    for (let turn = 0; turn < 3; turn += 1) {
      await settle()
      credit.add(window)
    }
    expect(await all).toEqual([true, true, true])
    expect(sent() === texts.join('')).toBe(true)
  })

  it('tells everybody who waits that it is closed', async () => {
    const { credit, send } = opened()
    const all = Promise.all(['a', 'b', 'c'].map((letter) => send(letter.repeat(window))))
    await settle()
    credit.close()
    expect(await all).toEqual([true, false, false])
    expect(await send('more')).toBe(false)
  })

  it('goes on behind a sender that failed', async () => {
    const { credit, send, sent } = opened()
    const failing = credit.send(Buffer.from('x'), async () => {
      throw new Error('no socket')
    })
    const next = send('next')
    await expect(failing).rejects.toThrow('no socket')
    expect(await next).toBe(true)
    expect(sent()).toBe('next')
  })
})
