import { Client, header, words } from './client.js'

// Draws as fast as it is let, until it is killed: the neighbour of those that are measured.
const client = new Client(process.argv[2]!)
await client.start()
const compositor = await client.bind('wl_compositor', 4)
const surface = client.id()
await client.send(words(...header(compositor, 0, 12), surface))
const damage = [...header(surface, 2, 24), 0, 0, 10, 10]
const block = words(
  ...Array.from({ length: 50 }, () => [...damage, ...damage, ...header(surface, 6, 8)]).flat(),
)
process.stdout.write('busy\n')
for (;;) {
  for (let sent = 0; sent < 20; sent++) await client.send(block)
  await client.sync()
}
