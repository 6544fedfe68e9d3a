import {
  absent,
  ask,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  rate,
  text,
} from '@spectrum/unit-graph'

export const store = closure('/nix/store/00000000000000000000000000000000-hello')
export const Sign = defineService('org.example.sign', {
  argument: text({ max: 64 }),
  request: bytes({ max: 65_536 }),
  response: bytes({ max: 4_096 }),
})
export const Uplink = defineService('org.example.uplink', { request: bytes(), response: bytes() })
export const Log = defineService('org.example.log', { request: bytes() })

export const vault = defineUnit('vault', {
  store,
  needs: { log: Log },
  provides: { sign: Sign.command(['/nix/store/x/bin/gpg', '--sign']) },
})
export const net = defineUnit('net', { store, provides: { out: Uplink.socket('/run/uplink') } })
export const mail = defineUnit('mail', { store, needs: { sign: Sign, uplink: Uplink.optional() } })

/** mail asks vault for signatures, vault logs to the host program, nobody uses net. */
export const example = () =>
  compose({ vault, net, mail })
    .wire({
      vault: { log: fromHost(Log, 'log').weak() },
      mail: { sign: vault.provides.sign.with(ask({ remember: true }), rate(2, 'minute')), uplink: absent },
    })
    ._unsafeUnwrap()
