import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ControlRequest,
  decodeReply,
  encodeRequest,
  parseExactJson,
  printExactJson,
} from '../src/control.js'

const reply = (text: string, descriptors = 0) => decodeReply(Buffer.from(text), descriptors)
const fuzz = Number(process.env['CROSVM_SPEC_FUZZ'] ?? 1000)

describe('requests', () => {
  const rows: readonly (readonly [ControlRequest<string>, string, (readonly string[])?])[] = [
    [{ kind: 'exit' }, '"Exit"'],
    [{ kind: 'power-button' }, '"Powerbtn"'],
    [{ kind: 'sleep-button' }, '"Sleepbtn"'],
    [{ kind: 'gpe', gpe: 3 }, '{"Gpe":{"gpe":3,"clear_evt":null}}'],
    [{ kind: 'gpe', gpe: 3, clearEvent: 'e' }, '{"Gpe":{"gpe":3,"clear_evt":0}}', ['e']],
    [{ kind: 'pci-pme', requesterId: 8 }, '{"PciPme":8}'],
    [{ kind: 'rtc', clearEvent: 'e' }, '{"Rtc":{"clear_evt":0}}', ['e']],
    [{ kind: 'suspend-vcpus' }, '"SuspendVcpus"'],
    [{ kind: 'resume-vcpus' }, '"ResumeVcpus"'],
    [{ kind: 'suspend' }, '"SuspendVm"'],
    [{ kind: 'resume' }, '"ResumeVm"'],
    [
      { kind: 'adjust-balloon', bytes: 2n ** 64n - 1n, wait: false },
      '{"BalloonCommand":{"Adjust":{"num_bytes":18446744073709551615,"wait_for_success":false}}}',
    ],
    [{ kind: 'balloon-stats' }, '{"BalloonCommand":"Stats"}'],
    [{ kind: 'balloon-working-set' }, '{"BalloonCommand":"WorkingSet"}'],
    [
      { kind: 'configure-working-set', bins: [1, 2], refreshThreshold: 3, reportThreshold: 4 },
      '{"BalloonCommand":{"WorkingSetConfig":{"bins":[1,2],"refresh_threshold":3,"report_threshold":4}}}',
    ],
    [
      { kind: 'resize-disk', index: 0, bytes: 9007199254740993n },
      '{"DiskCommand":{"disk_index":0,"command":{"Resize":{"new_size":9007199254740993}}}}',
    ],
    [
      { kind: 'take-snapshot', path: '/s', compressMemory: true },
      '{"Snapshot":{"Take":{"snapshot_path":"/s","compress_memory":true,"encrypt":false}}}',
    ],
    [{ kind: 'attach-usb', device: 'd' }, '{"UsbCommand":{"AttachDevice":{"file":0}}}', ['d']],
    [{ kind: 'attach-security-key', device: 'd' }, '{"UsbCommand":{"AttachSecurityKey":{"file":0}}}', ['d']],
    [{ kind: 'detach-usb', port: 1 }, '{"UsbCommand":{"DetachDevice":{"port":1}}}'],
    [{ kind: 'list-usb' }, '{"UsbCommand":{"ListDevice":{"ports":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}}}'],
    [
      { kind: 'plug-vfio', path: '/sys/x', add: true },
      '{"HotPlugVfioCommand":{"device":{"device_type":"EndPoint","path":"/sys/x","hp_interrupt":true},"add":true}}',
    ],
    [{ kind: 'add-tap', name: 'tap0' }, '{"HotPlugNetCommand":{"AddTap":"tap0"}}'],
    [{ kind: 'remove-tap', bus: 1 }, '{"HotPlugNetCommand":{"RemoveTap":1}}'],
    [
      { kind: 'add-displays', displays: [{ windowed: [1280, 720] }] },
      '{"GpuCommand":{"AddDisplays":{"displays":[{"mode":{"windowed":[1280,720]},"hidden":false,"refresh-rate":60,"dpi":[320,320]}]}}}',
    ],
    [{ kind: 'list-displays' }, '{"GpuCommand":"ListDisplays"}'],
    [{ kind: 'remove-displays', ids: [1] }, '{"GpuCommand":{"RemoveDisplays":{"display_ids":[1]}}}'],
    [
      { kind: 'set-mouse-mode', display: 0, mode: 'touchscreen' },
      '{"GpuCommand":{"SetDisplayMouseMode":{"display_id":0,"mouse_mode":"touchscreen"}}}',
    ],
    [
      { kind: 'battery', change: { kind: 'capacity', percent: 50 } },
      '{"BatCommand":["goldfish",{"SetCapacity":50}]}',
    ],
    [{ kind: 'battery', change: { kind: 'cancel-fake' } }, '{"BatCommand":["goldfish","CancelFakeConfig"]}'],
    [{ kind: 'mute-sound', muted: true }, '{"SndCommand":{"MuteAll":true}}'],
    [{ kind: 'swap-enable' }, '{"Swap":"Enable"}'],
    [{ kind: 'swap-disable', slowFileCleanup: false }, '{"Swap":{"Disable":{"slow_file_cleanup":false}}}'],
    [{ kind: 'make-rt' }, '"MakeRT"'],
    [
      { kind: 'register-listener', path: '/l', event: 'VirtioBalloonResize' },
      '{"RegisterListener":{"socket_addr":"/l","event":"VirtioBalloonResize"}}',
    ],
    [{ kind: 'unregister', path: '/l' }, '{"Unregister":{"socket_addr":"/l"}}'],
    [{ kind: 'vcpu-threads' }, '"VcpuPidTid"'],
    [{ kind: 'throttle', vcpu: 0, microseconds: 5 }, '{"Throttle":[0,5]}'],
    [{ kind: 'vm-descriptor' }, '"GetVmDescriptor"'],
    [
      {
        kind: 'register-memory',
        memory: 'm',
        offset: 0n,
        start: 2n ** 40n,
        end: 2n ** 41n,
        cacheCoherent: true,
      },
      '{"RegisterMemory":{"fd":0,"offset":0,"range_start":1099511627776,"range_end":2199023255552,"cache_coherent":true}}',
      ['m'],
    ],
    [{ kind: 'unregister-memory', regionId: 7n }, '{"UnregisterMemory":{"region_id":7}}'],
  ]
  for (const [request, text, descriptors = []] of rows) {
    test(`${text} is how crosvm reads it`, () => {
      expect(encodeRequest(request)).toEqual({ text, descriptors })
    })
  }
})

describe('replies', () => {
  const stats = (value: string) =>
    `{"BalloonStats":{"stats":{${['swap_in', 'swap_out', 'major_faults', 'minor_faults', 'free_memory', 'total_memory', 'available_memory', 'disk_caches', 'hugetlb_allocations', 'hugetlb_failures', 'shared_memory', 'unevictable_memory'].map((name) => `"${name}":${value}`).join()}},"balloon_actual":18446744073709551615}}`

  test('keep 64-bit numbers exact', () => {
    const read = reply(stats('9007199254740993'))._unsafeUnwrap()
    expect(read).toMatchObject({ balloonBytes: 2n ** 64n - 1n, stats: { swap_in: 9007199254740993n } })
    expect(reply(stats('null'))._unsafeUnwrap()).toMatchObject({ stats: { free_memory: null } })
  })

  test.each([
    ['"Ok"', { kind: 'ok' }],
    ['{"Err":19}', { kind: 'errno', errno: 19 }],
    ['{"ErrString":"no\\u001b"}', { kind: 'error-text', text: 'no\\x1b' }],
    ['{"RegisterMemory2":{"region_id":3}}', { kind: 'memory-region', regionId: 3n }],
    [
      '{"BalloonWS":{"ws":{"ws":[{"age":1,"bytes":[2,3]}]},"balloon_actual":4}}',
      { kind: 'working-set', buckets: [{ age: 1n, fileBytes: 2n, anonymousBytes: 3n }], balloonBytes: 4n },
    ],
    ['{"PciHotPlugResponse":{"bus":1}}', { kind: 'pci-bus', bus: 1 }],
    ['{"UsbResponse":{"Ok":{"port":1}}}', { kind: 'usb-port', port: 1 }],
    ['{"UsbResponse":"NoSuchPort"}', { kind: 'usb-failure', reason: 'NoSuchPort' }],
    [
      '{"UsbResponse":{"Devices":[{"port":0,"vendor_id":0,"product_id":0},{"port":2,"vendor_id":1,"product_id":3}]}}',
      { kind: 'usb-devices', devices: [{ port: 2, vendorId: 1, productId: 3 }] },
    ],
    ['{"GpuResponse":"DisplaysUpdated"}', { kind: 'displays-updated' }],
    [
      '{"GpuResponse":{"DisplayList":{"displays":{"0":{"mode":{"windowed":[1,2]},"hidden":false,"refresh-rate":60,"dpi":[3,4]}}}}}',
      {
        kind: 'displays',
        displays: new Map([[0, { windowed: [1, 2], hidden: false, refreshRate: 60, dpi: [3, 4] }]]),
      },
    ],
    ['{"BatResponse":"Ok"}', { kind: 'battery-ok' }],
    ['{"BatResponse":"NoBatDevice"}', { kind: 'battery-failure', reason: 'NoBatDevice' }],
    [
      '{"SwapStatus":{"state":"Active","metrics":{"resident_pages":5},"state_transition":{"pages":1,"time_ms":2}}}',
      {
        kind: 'swap-status',
        status: {
          state: 'Active',
          metrics: { resident_pages: 5n },
          transition: { pages: 1n, milliseconds: 2n },
        },
      },
    ],
    [
      '{"VcpuPidTidResponse":{"pid_tid_map":{"1":[5,7],"0":[5,6]}}}',
      {
        kind: 'vcpu-threads',
        threads: [
          { vcpu: 0, pid: 5, tid: 6 },
          { vcpu: 1, pid: 5, tid: 7 },
        ],
      },
    ],
  ])('%s is read', (text, expected) => {
    expect(reply(text)._unsafeUnwrap()).toEqual(expected)
  })

  test('with descriptors that do not belong to them, or without theirs, are malformed', () => {
    expect(reply('{"VmDescriptor":{"hypervisor":"Kvm","vm_fd":0}}', 1).isOk()).toBe(true)
    expect(reply('{"VmDescriptor":{"hypervisor":"Kvm","vm_fd":0}}', 0).isErr()).toBe(true)
    expect(reply('{"VmDescriptor":{"hypervisor":"Kvm","vm_fd":1}}', 1).isErr()).toBe(true)
    expect(reply('"Ok"', 1).isErr()).toBe(true)
  })

  test.each([
    '',
    'Ok',
    '"ok"',
    '{"Ok":1}',
    '{"Err":-1}',
    '{"Err":1.5}',
    '{"Err":1e2}',
    '{"Err":"19"}',
    '{"Err":1,"Err":2}',
    '{"Err":1}{"Err":2}',
    '{"__proto__":{}}',
    '{"constructor":1}',
    '{"PciHotPlugResponse":{"bus":256}}',
    '{"RegisterMemory2":{"region_id":18446744073709551616}}',
    '{"RegisterMemory2":{"region_id":3,"more":1}}',
    '{"VcpuPidTidResponse":{"pid_tid_map":{"x":[1,2]}}}',
    '{"VcpuPidTidResponse":{"pid_tid_map":{"0":[1]}}}',
    `${'['.repeat(100)}`,
    `"${'x'.repeat(300_000)}"`,
    `{"Err":${'9'.repeat(10_000)}}`,
  ])('%s is malformed', (text) => {
    expect(reply(text)._unsafeUnwrapErr().kind).toBe('malformed-reply')
  })

  test('that are not UTF-8 are malformed', () => {
    expect(decodeReply(Uint8Array.of(0x22, 0xff, 0x22), 0).isErr()).toBe(true)
  })

  test('of any bytes are read or refused: nothing throws', () => {
    const words = fc
      .array(
        fc.constantFrom(
          '{',
          '}',
          '[',
          ']',
          '"',
          ':',
          ',',
          '1',
          '-',
          'Ok',
          'Err',
          'null',
          '\\u00',
          'UsbResponse',
          'pid_tid_map',
          ' ',
        ),
      )
      .map((parts) => Buffer.from(parts.join('')))
    fc.assert(
      fc.property(fc.oneof(words, fc.uint8Array({ maxLength: 200 }), fc.json().map(Buffer.from)), (bytes) => {
        decodeReply(bytes, 0).match(
          () => {},
          (error) => expect(error.kind).toBe('malformed-reply'),
        )
      }),
      { numRuns: fuzz },
    )
  })
})

describe('exact JSON', () => {
  test('agrees with JSON.parse about what is JSON, apart from fractions and doubled keys', () => {
    const plain = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: 'binary' }),
        fc.boolean(),
        fc.constant(null),
        fc.maxSafeInteger().map((n) => n || 0),
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value')),
      ),
    })).value
    const simple = (value: unknown): unknown =>
      typeof value === 'bigint'
        ? Number(value)
        : value instanceof Map
          ? Object.fromEntries([...value].map(([key, held]) => [key, simple(held)]))
          : Array.isArray(value)
            ? value.map(simple)
            : value
    fc.assert(
      fc.property(plain, (value) => {
        const text = printExactJson(value as never)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(simple(parseExactJson(JSON.stringify(value, null, 1))._unsafeUnwrap())).toEqual(
          Object.fromEntries([['x', JSON.parse(JSON.stringify(value))]])['x'],
        )
      }),
      { numRuns: fuzz },
    )
  })

  test('refuses what JSON.parse refuses', () => {
    const soup = fc
      .array(
        fc.constantFrom(
          '{',
          '}',
          '[',
          ']',
          '"a"',
          '"',
          ':',
          ',',
          '0',
          '12',
          '01',
          '-',
          'true',
          'null',
          ' ',
          '\n',
          '\\',
        ),
      )
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(soup, (text) => {
        let accepted = true
        try {
          JSON.parse(text)
        } catch {
          accepted = false
        }
        if (!accepted) expect(parseExactJson(text).isErr()).toBe(true)
        else if (!/("a").*\1/.test(text)) expect(parseExactJson(text).isOk()).toBe(true)
      }),
      { numRuns: fuzz },
    )
  })
})
