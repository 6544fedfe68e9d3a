// A host of its own that shares a blob cache with others: attaches and releases, round after round, and ends with an
// error when something that it was given is not there. Without rounds it attaches once and holds on until it is killed.
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { nixStore, openBlobCache } from '../../src/linux.js'

const [root = '', directory = '', path = '', rounds = '0'] = process.argv.slice(2)
const store = nixStore({ root })
const closure = (await store.closure([path]))._unsafeUnwrap()
const cache = (await openBlobCache(directory, { locate: store.locate }))._unsafeUnwrap()
const attach = async () => {
  const attachment = (await cache.attach(closure))._unsafeUnwrap()
  for (const { file, sizeBytes } of [attachment.metadata, ...attachment.blobs]) {
    if (statSync(file).size !== sizeBytes) throw new Error(`${file} is not whole`)
  }
  return attachment
}
if (rounds === '0') {
  process.stdout.write(`${JSON.stringify((await attach()).blobs[0])}\n`)
  await once(process.stdin.resume(), 'end')
}
for (let round = 0; round < Number(rounds); round++) {
  if (round % 2 === 0) (await cache.release(await attach()))._unsafeUnwrap()
  else (await cache.collect())._unsafeUnwrap()
}
