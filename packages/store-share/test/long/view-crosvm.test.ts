/**
 * A view behind a real crosvm, in a machine whose KVM works:
 *
 *     npm run lab -- x86_64 --timeout 900 --env CROSVM=/path/to/crosvm -- \
 *       npx vitest run --config .vitest.config.ts --project long packages/store-share/test/long/view-crosvm.test.ts
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openView } from '../../src/linux/view.js'
import { digestOf } from '../guest/view/digest.js'
import { Guest } from '../guest/view/guest.js'

const { CROSVM: crosvm = '', SPECTRUM_LAB: lab } = process.env
const missing = [
  ...(existsSync(crosvm) ? [] : ['CROSVM to name a crosvm']),
  ...(lab === 'x86_64' ? [] : ['the x86-64 lab']),
]
const why = missing.length > 0 ? ` (skipped: it needs ${missing.join(', and ')})` : ''

test.skipIf(missing.length > 0)(
  `a guest of crosvm sees what is granted, while it runs, too${why}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'view-crosvm-'))
    const [one, other] = ['one', 'other'].map((name) => join(folder, name)) as [string, string]
    mkdirSync(join(one, 'below'), { recursive: true })
    mkdirSync(other)
    for (let i = 0; i < 40; i++) writeFileSync(join(one, 'below', `f${i}`), Buffer.alloc(i * 9001, i))
    writeFileSync(join(other, 'file'), 'granted later')
    await using view = (
      await openView({ directory: folder, tag: 'store', deadlineMs: 400_000 })
    )._unsafeUnwrap()
    ;(await view.grant({ name: 'one', location: one }))._unsafeUnwrap()
    {
      await using guest = new Guest([view], { crosvm, memoryMib: 256, patienceMs: 600_000 })
      await guest.ready()
      expect(await guest.tell('mount store /view')).toEqual([])
      expect(await guest.tell('walk /view/one')).toEqual([digestOf(one)])
      expect(await guest.tell('stat /view/other')).toEqual(['errno 2'])
      ;(await view.grant({ name: 'other', location: other }))._unsafeUnwrap()
      expect(await guest.tell('read /view/other/file')).toEqual(['granted later'])
      expect(await guest.tell('write /view/one')).toEqual([])
      ;(await view.revoke('one'))._unsafeUnwrap()
      expect(await guest.tell('list /view')).toEqual(['other'])
      expect((await view.counters())._unsafeUnwrap()).toMatchObject({
        protocolErrors: 0,
        malformedChains: 0,
        brokenRings: 0,
      })
    }
    rmSync(folder, { recursive: true, force: true })
  },
)
