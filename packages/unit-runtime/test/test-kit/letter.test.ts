import { ask, bytes, closure, compose, defineService, defineUnit } from '@spectrum/unit-runtime'
import { openFakeHost, scriptedPrompter } from '@spectrum/unit-runtime/fake'
import { expect, it } from 'vitest'

const gnupg = '/nix/store/00000000000000000000000000000000-gnupg'
const aerc = '/nix/store/11111111111111111111111111111111-aerc'
const Sign = defineService('org.example.sign', { request: bytes(), response: bytes() })
const vault = defineUnit('vault', {
  store: closure(gnupg),
  provides: { sign: Sign.command([`${gnupg}/bin/gpg`]) },
})
const mail = defineUnit('mail', { store: closure(aerc), needs: { sign: Sign } })
const graph = compose({ vault, mail })
  .wire({ mail: { sign: vault.provides.sign.with(ask()) } })
  ._unsafeUnwrap()

it('signs for the mail unit, once a person has allowed it', async () => {
  const prompter = scriptedPrompter(({ unit }) => (unit === 'mail' ? 'allow' : 'deny'))
  await using host = (
    await openFakeHost({
      store: { [gnupg]: {}, [aerc]: { references: [] } },
      prompter,
      programs: {
        [`${gnupg}/bin/gpg`]: async ({ stdin, stdout, env }) => {
          for await (const chunk of stdin) await stdout.write(chunk)
          await stdout.write(` signed for ${env['SPECTRUM_CALLER']}`)
          return 0
        },
        [`${aerc}/bin/aerc`]: async ({ connect, stdout }) => {
          const sign = connect('/run/spectrum/services/sign')
          await sign.write('a letter,')
          sign.end()
          for await (const chunk of sign.incoming) await stdout.write(chunk)
          return 0
        },
      },
    })
  )._unsafeUnwrap()

  const units = (await host.start(graph))._unsafeUnwrap()
  const run = (await units.mail.exec([`${aerc}/bin/aerc`]))._unsafeUnwrap()
  expect(new TextDecoder().decode(run.stdout)).toBe('a letter, signed for mail')
  expect(prompter.asked.map(({ provider }) => provider)).toEqual(['vault'])
})
