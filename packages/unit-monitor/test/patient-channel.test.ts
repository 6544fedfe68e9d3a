import { describe, expect, it } from 'vitest'
import { channelPair } from '../src/channel-pair.js'
import { PatientChannel } from '../src/crosvm/patient-channel.js'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('a channel that waits for the guest', () => {
  it('keeps what is written, in order, until the guest has spoken, and hands over everything the guest says', async () => {
    const [host, guest] = channelPair()
    const channel = new PatientChannel(host)
    await channel.write(bytes('one '))
    await channel.write(bytes('two '))
    const heard: string[] = []
    const reading = (async () => {
      for await (const part of guest.incoming) heard.push(new TextDecoder().decode(part))
    })()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(heard).toEqual([])
    await guest.write(bytes('ready'))
    const said: string[] = []
    for await (const part of channel.incoming) {
      said.push(new TextDecoder().decode(part))
      if (said.length === 1) {
        await channel.write(bytes('three'))
        await guest.write(bytes('more'))
      } else break
    }
    channel.close()
    await reading
    expect(said).toEqual(['ready', 'more'])
    expect(heard.join('')).toBe('one two three')
  })

  it('holds a bounded number of bytes and lets the writer of more wait', async () => {
    const [host, guest] = channelPair()
    const channel = new PatientChannel(host)
    await channel.write(new Uint8Array(64 * 1024))
    let accepted = false
    const writing = channel.write(bytes('x')).then(() => {
      accepted = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(accepted).toBe(false)
    let received = 0
    const reading = (async () => {
      for await (const part of guest.incoming) received += part.length
    })()
    await guest.write(bytes('ready'))
    await writing
    channel.close()
    await reading
    expect(received).toBe(64 * 1024 + 1)
  })

  it('refuses to write once it is closed, heard or not', async () => {
    const [host] = channelPair()
    const channel = new PatientChannel(host)
    channel.close()
    await expect(channel.write(bytes('x'))).rejects.toThrow('closed')
  })
})
