import { closure, defineUnit, type Host, type HostError, type Unit } from '@spectrum/unit-runtime'
import type { ResultAsync } from 'neverthrow'
import type { Programs } from '../../debian-programs/src/debian-programs.js'
import { fontEnvironment } from '../../debian-programs/src/fonts.js'

/** A document as pixels and letters: nothing of it that a program could run. */
export interface Seen {
  /** Its first page, as an image of 3 bytes for each pixel. */
  readonly page: Image
  readonly text: string
}

export interface Image {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

const MOST_PIXELS = 4096 * 4096
const MOST_TEXT = 1024 * 1024

/**
 * Opens a PDF in a virtual machine that has poppler and nothing else: no network, no file of ours, no service. Whatever the
 * document does to poppler, it does it there; the machine is gone when the answer is here.
 */
export function view(host: Host, poppler: Programs, document: Uint8Array): ResultAsync<Seen, HostError> {
  const viewer = defineUnit('viewer', { store: closure(poppler.path) })
  return host.disposable(
    viewer,
    async (unit, signal) => {
      const run = runIn(unit, poppler, document, signal)
      // Raw pixels, not a format that has to be decoded here.
      const page = parseImage(await run(['pdftoppm', '-r', '72', '-singlefile', '-'], MOST_PIXELS * 3 + 64))
      const text = new TextDecoder().decode(await run(['pdftotext', '-', '-'], MOST_TEXT))
      return { page, text }
    },
    { limitMs: 60_000 },
  )
}

const runIn =
  (unit: Unit, poppler: Programs, stdin: Uint8Array, signal: AbortSignal) =>
  async ([program, ...words]: readonly [string, ...string[]], maxBytes: number): Promise<Uint8Array> => {
    const env = fontEnvironment(poppler)
    const ran = await unit.exec(poppler.argv(program, ...words), { stdin, signal, maxBytes, env })
    if (ran.isErr()) throw new Error(ran.error.message)
    const { outcome, stdout, truncated } = ran.value
    if (outcome.kind !== 'exited' || outcome.code !== 0)
      throw new Error(`${program} did not open the document`)
    if (truncated) throw new Error(`${program} says more than ${maxBytes} bytes`)
    return stdout
  }

/** A portable pixmap, `P6 WIDTH HEIGHT 255` and the pixels: so little that it can be checked wholly. */
export function parseImage(bytes: Uint8Array): Image {
  const head = /^P6\n([1-9]\d{0,3}) ([1-9]\d{0,3})\n255\n/.exec(
    new TextDecoder('latin1').decode(bytes.subarray(0, 32)),
  )
  if (head === null) throw new Error('what came out of the machine is no image')
  const [width, height] = [Number(head[1]), Number(head[2])]
  const pixels = bytes.subarray(head[0].length)
  if (pixels.length !== width * height * 3) throw new Error('what came out of the machine is not that large')
  return { width, height, pixels }
}
