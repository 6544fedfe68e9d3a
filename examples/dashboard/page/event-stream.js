/**
 * Server-sent events by fetch: EventSource could not send the token but in the address, where it would be in logs.
 * Only what this dashboard sends: lines end with a line feed, and an event is a name and one line of data.
 */

const MOST_CHARACTERS = 16 * 1024 * 1024

export async function* readEvents(stream) {
  const reader = stream.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      if (text.length > MOST_CHARACTERS) throw new Error('The server sends an event without an end.')
      const messages = text.split('\n\n')
      text = messages.pop()
      for (const message of messages) {
        const event = parse(message)
        if (event !== undefined) yield event
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function parse(message) {
  const fields = new Map(
    message.split('\n').map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)]
    }),
  )
  const [event, data] = ['event', 'data'].map((name) => fields.get(name))
  return event === undefined || data === undefined ? undefined : { event, data }
}
