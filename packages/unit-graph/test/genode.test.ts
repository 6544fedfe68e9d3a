import { compose, defineUnit, type GenodeNode, genodeOf, printHid, printXml } from '@spectrum/unit-graph'
import { describe, expect, it } from 'vitest'
import { example, store, Uplink } from './graph-example.js'

const client = defineUnit('client', { store, needs: { uplink: Uplink }, command: ['/bin/a', '<&"'] })
const server = defineUnit('server', { store, provides: { out: Uplink.socket('/run/uplink') } })
const small = compose({ server, client })
  .wire({ client: { uplink: server.provides.out } })
  ._unsafeUnwrap()

const all = (tree: GenodeNode): readonly GenodeNode[] => [tree, ...tree.children.flatMap(all)]
const attribute = (node: GenodeNode | undefined, name: string) =>
  node?.attributes.find(([key]) => key === name)?.[1]
const starts = (tree: GenodeNode) => tree.children.filter(({ type }) => type === 'start')

describe('the configuration for Genode’s init', () => {
  it('routes a need to its provider and lets the provider admit exactly that session', () => {
    expect(printXml(genodeOf(small))).toBe(`<config>
  <parent-provides>
    <service name="PD"/>
    <service name="CPU"/>
    <service name="ROM"/>
    <service name="LOG"/>
  </parent-provides>
  <start name="server" caps="1000" ram="256M">
    <provides>
      <service name="Org_Example_Uplink"/>
    </provides>
    <route>
      <service name="PD">
        <parent/>
      </service>
      <service name="CPU">
        <parent/>
      </service>
      <service name="ROM">
        <parent/>
      </service>
      <service name="LOG">
        <parent/>
      </service>
    </route>
    <config>
      <store-path path="/nix/store/00000000000000000000000000000000-hello"/>
      <policy label="client -&#62; uplink" provision="out"/>
    </config>
  </start>
  <start name="client" caps="1000" ram="256M">
    <route>
      <service name="Org_Example_Uplink" label="uplink">
        <child name="server"/>
      </service>
      <service name="PD">
        <parent/>
      </service>
      <service name="CPU">
        <parent/>
      </service>
      <service name="ROM">
        <parent/>
      </service>
      <service name="LOG">
        <parent/>
      </service>
    </route>
    <config>
      <arg value="/bin/a"/>
      <arg value="&#60;&#38;&#34;"/>
      <store-path path="/nix/store/00000000000000000000000000000000-hello"/>
    </config>
  </start>
</config>
`)
  })

  it('says the same in HID', () => {
    const lines = printHid(genodeOf(small)).split('\n')
    expect(lines.slice(0, 10)).toEqual([
      'config',
      '+ parent-provides',
      '  + service PD',
      '  + service CPU',
      '  + service ROM',
      '  + service LOG',
      '+ start server | caps: 1000 | ram: 256M',
      '  + provides',
      '    + service Org_Example_Uplink',
      '  + route',
    ])
    expect(lines).toContain('    + policy | label: client -> uplink | provision: out')
    expect(lines.slice(-2)).toEqual(['-', ''])
  })

  it('has no wildcard, and no route for a need that is wired to nothing', () => {
    const tree = genodeOf(example())
    const types = all(tree).map(({ type }) => type)
    for (const wildcard of ['any-service', 'any-child', 'default-route', 'default-policy']) {
      expect(types).not.toContain(wildcard)
    }
    expect(all(tree).some((node) => attribute(node, 'label') === 'uplink')).toBe(false)
  })

  it('routes only to children that exist, start before, and provide the service', () => {
    const known = new Map<string | undefined, readonly (string | undefined)[]>()
    for (const start of starts(genodeOf(example()))) {
      const rules = start.children.find(({ type }) => type === 'route')!.children
      for (const rule of rules) {
        expect(rule.children).toHaveLength(1)
        const [target] = rule.children
        if (target?.type === 'child')
          expect(known.get(attribute(target, 'name'))).toContain(attribute(rule, 'name'))
        else expect(target?.type).toBe('parent')
      }
      const provides = start.children.find(({ type }) => type === 'provides')?.children ?? []
      known.set(
        attribute(start, 'name'),
        provides.map((service) => attribute(service, 'name')),
      )
    }
  })

  it('puts a guard of its own on an edge with conditions, which is the only way to the provider', () => {
    const tree = starts(genodeOf(example()))
    expect(tree.map((start) => attribute(start, 'name'))).toEqual(['vault', 'net', 'mail-sign-guard', 'mail'])
    const targets = (name: string) =>
      tree
        .filter((start) => attribute(start, 'name') === name)
        .flatMap(all)
        .flatMap((node) => (node.type === 'child' ? [attribute(node, 'name')] : []))
    expect(targets('mail')).toEqual(['mail-sign-guard'])
    expect(targets('mail-sign-guard')).toEqual(['vault'])
    const policies = tree.flatMap(all).filter(({ type }) => type === 'policy')
    expect(policies.map((policy) => attribute(policy, 'label'))).toEqual([
      'mail-sign-guard -> sign',
      'mail -> sign',
    ])
  })

  it('refuses in HID what would end a value early', () => {
    const barred = defineUnit('barred', { store, command: ['/bin/a', 'x | ram: 1G'] })
    const tree = genodeOf(compose({ barred })._unsafeUnwrap())
    expect(() => printHid(tree)).toThrow(RangeError)
    expect(printXml(tree)).toContain('x | ram: 1G')
  })
})
