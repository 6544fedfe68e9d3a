import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nixStore, openHost } from '@spectrum/unit-runtime'
import { expect, it } from 'vitest'
import { directoriesIn } from '../../../../packages/unit-runtime/test/guest/directories.js'
import { debianPrograms } from '../../../debian-programs/src/debian-programs.js'
import { FONTS } from '../../../debian-programs/src/fonts.js'
import { view } from '../../src/viewer.js'

/** A page of 40 by 20 points with a red square, and a word. */
function pdf(): Uint8Array {
  const drawing = '1 0 0 rg 0 0 10 10 re f BT /F1 8 Tf 12 5 Td (hello) Tj ET'
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 40 20] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${drawing.length} >>\nstream\n${drawing}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ]
  let text = '%PDF-1.4\n'
  const places = objects.map((object, index) => {
    const at = text.length
    text += `${index + 1} 0 obj\n${object}\nendobj\n`
    return at
  })
  const table = places.map((at) => `${String(at).padStart(10, '0')} 00000 n \n`).join('')
  const trailer = `trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`
  return Buffer.from(`${text}xref\n0 6\n0000000000 65535 f \n${table}${trailer}`)
}

it('a document is opened in a machine of its own, comes out as pixels and letters, and leaves nothing', async () => {
  const root = await mkdtemp(join(tmpdir(), 'viewer-'))
  const poppler = await debianPrograms('poppler', ['/usr/bin/pdftoppm', '/usr/bin/pdftotext'], {
    data: FONTS,
  })
  const options = await directoriesIn(root)
  await using host = (await openHost({ store: nixStore(), ...options }))._unsafeUnwrap()
  const seen = (await view(host, poppler, pdf()))._unsafeUnwrap()
  expect(seen.text.trim()).toBe('hello')
  const { width, height, pixels } = seen.page
  expect([width, height]).toEqual([40, 20])
  const pixel = (x: number, y: number) => [...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]
  expect(pixel(2, 17)).toEqual([255, 0, 0])
  expect(pixel(38, 2)).toEqual([255, 255, 255])
  expect([...host.units.keys()]).toEqual([])
  await host.stop()
  expect((await host.leftovers())._unsafeUnwrap()).toEqual({
    processes: [],
    sockets: [],
    mounts: [],
    files: [],
  })
  await rm(root, { recursive: true, force: true })
})
