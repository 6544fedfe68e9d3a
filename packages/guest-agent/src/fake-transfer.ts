import { Buffer } from 'node:buffer'
import { type FakeFiles, statusOf } from './fake-files.js'
import type { FakeStream } from './fake-stream.js'
import { codes, type Frame, limits } from './frames.js'

/** Serves one file of a fake unit over a stream, as the agent does. */
export async function transfer(
  files: FakeFiles,
  frame: Frame<'put-file' | 'get-file'>,
  stream: FakeStream,
): Promise<void> {
  if (frame.type === 'put-file') await put(files, frame, stream)
  else await get(files, frame, stream)
}

async function get(files: FakeFiles, frame: Frame<'get-file'>, stream: FakeStream): Promise<void> {
  const found = files.find(frame.below, frame.path)
  if (typeof found === 'string') {
    await stream.write(result({ ...statusOf(found), size: 0, mode: 0 }))
    return
  }
  await stream.write(
    result({ status: codes.file.done, errno: 0, size: found.bytes.length, mode: found.mode }),
  )
  await stream.write(found.bytes)
}

async function put(files: FakeFiles, frame: Frame<'put-file'>, stream: FakeStream): Promise<void> {
  const fail = (failure: Parameters<typeof statusOf>[0]) =>
    stream.write(result({ ...statusOf(failure), size: 0, mode: 0 }))
  const place = files.placeFor(frame.below, frame.path, frame.size)
  if (!place.startsWith('/')) return fail(place as Parameters<typeof statusOf>[0])
  const held: Uint8Array[] = []
  let size = 0
  for await (const bytes of stream.incoming) {
    size += bytes.length
    if (size > frame.size) break
    held.push(bytes)
  }
  if (!stream.ended) return
  if (size !== frame.size) return stream.write(result({ status: codes.file.cut, errno: 0, size: 0, mode: 0 }))
  const failure = files.put(frame.below, frame.path, Buffer.concat(held), frame.mode)
  if (failure !== undefined) return fail(failure)
  await stream.write(result({ status: codes.file.done, errno: 0, size, mode: frame.mode }))
}

function result(of: { status: number; errno: number; size: number; mode: number }): Uint8Array {
  const bytes = Buffer.alloc(limits.fileResultBytes)
  bytes.writeUInt8(of.status, 0)
  bytes.writeUInt32LE(of.errno, 1)
  bytes.writeBigUInt64LE(BigInt(of.size), 5)
  bytes.writeUInt16LE(of.mode, 13)
  return bytes
}
