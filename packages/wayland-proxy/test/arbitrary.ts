import fc from 'fast-check'
import type { Argument, ArgumentSignature, ArgumentType, MessageSignature } from '../src/index.js'

const uint = fc.integer({ min: 0, max: 0xffff_ffff })
const id = fc.integer({ min: 1, max: 0xffff_ffff })
const int = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })
/** Hostile bytes: NULs inside, broken UTF-8, every length around a word. */
const bytes = fc.uint8Array({ maxLength: 40 })

const type: fc.Arbitrary<ArgumentType> = fc.oneof(
  fc
    .constantFrom('int', 'uint', 'fixed', 'array', 'fd', 'untyped-new-id')
    .map((kind): ArgumentType => ({ kind })),
  fc.boolean().map((nullable): ArgumentType => ({ kind: 'string', nullable })),
  fc.boolean().map((nullable): ArgumentType => ({ kind: 'object', nullable, interface: 'wl_surface' })),
  fc.constant<ArgumentType>({ kind: 'new-id', interface: 'wl_surface' }),
)

function valueFor(type: ArgumentType): fc.Arbitrary<Argument<number>> {
  switch (type.kind) {
    case 'int':
      return int.map((value) => ({ kind: 'int', value }))
    case 'uint':
      return uint.map((value) => ({ kind: 'uint', value }))
    case 'fixed':
      return int.map((value) => ({ kind: 'fixed', value: value / 256 }))
    case 'array':
      return bytes.map((bytes) => ({ kind: 'array', bytes }))
    case 'string':
      return (type.nullable ? fc.option(bytes) : bytes).map((bytes) => ({ kind: 'string', bytes }))
    case 'object':
      return (type.nullable ? fc.option(id) : id).map((id) => ({ kind: 'object', id }))
    case 'new-id':
      return id.map((id) => ({ kind: 'new-id', id }))
    case 'untyped-new-id':
      return fc
        .tuple(bytes, uint, id)
        .map(([name, version, id]) => ({ kind: 'untyped-new-id', interface: name, version, id }))
    case 'fd':
      return fc.nat().map((descriptor) => ({ kind: 'fd', descriptor }))
  }
}

export const signature: fc.Arbitrary<MessageSignature> = fc.array(type, { maxLength: 12 }).map((types) => ({
  name: 'message',
  since: 1,
  destructor: false,
  arguments: types.map((type, index): ArgumentSignature => ({ name: `argument_${index}`, type })),
}))

/** A signature, and values that fit it. */
export const message = signature.chain((signature) =>
  fc.record({
    signature: fc.constant(signature),
    objectId: id,
    opcode: fc.integer({ min: 0, max: 0xffff }),
    values: fc.tuple(...signature.arguments.map(({ type }) => valueFor(type))) as fc.Arbitrary<
      Argument<number>[]
    >,
  }),
)
