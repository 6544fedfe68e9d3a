import type { Fd } from '@spectrum/unix-fd'
import { behave } from '../answers/behave.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import type { Session } from '../relay/session.js'
import { type Content, textOf } from './selection.js'

/** A program's offer to give what it copied. */
export class Source implements Content {
  readonly mimeTypes: string[] = []
  readonly #session: Session
  readonly #object: ProtocolObject
  /** Called once when the program takes it back, or has gone. */
  onGone: (() => void) | undefined

  constructor(session: Session, object: ProtocolObject) {
    this.#session = session
    this.#object = object
    behave(
      object,
      {
        offer: (relayed) => {
          const mimeType = textOf(relayed.bytes(0))
          const { maxMimeTypes } = session.unit.policy.clipboard
          if (mimeType === undefined || this.mimeTypes.includes(mimeType)) return
          if (this.mimeTypes.length < maxMimeTypes) this.mimeTypes.push(mimeType)
          else {
            const message = `more than ${maxMimeTypes} types of one text`
            session.unit.warn({ code: 'W-CLIPBOARD', session: session.number, message })
          }
        },
      },
      () => this.onGone?.(),
    )
  }

  write(mimeType: string, fd: Fd): void {
    if (!this.#object.alive) {
      fd.close()
      return
    }
    const bytes = new TextEncoder().encode(mimeType)
    this.#session.event(this.#object, 'send', [
      { kind: 'string', bytes },
      { kind: 'fd', descriptor: fd },
    ])
  }

  cancel(): void {
    if (this.#object.alive) this.#session.event(this.#object, 'cancelled', [])
  }
}
