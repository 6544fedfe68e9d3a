import type { Cursor } from '../grammar/cursor.js'
import { type PciAddress, pciAddress } from '../grammar/network.js'
import { optional, record, required, tagged, unit, variant } from '../grammar/record.js'
import { refuse } from '../grammar/refusal.js'
import { bounded64, choice, flag, integer, list, u32 } from '../grammar/scalar.js'
import type { Shape } from '../grammar/shape.js'
import { path, text } from '../grammar/text.js'

/** A window of the host that shows a screen of the guest. */
export interface GpuDisplay {
  /** Pixels. */
  readonly windowed: readonly [width: number, height: number]
  readonly hidden?: boolean | undefined
  /** Hertz. Default 60. */
  readonly refreshRate?: number | undefined
  /** Default [320, 320]. */
  readonly dpi?: readonly number[] | undefined
}

/** Names for rutabaga; crosvm ignores those it does not know. */
export type GpuContextType =
  | 'virgl'
  | 'virgl2'
  | 'gfxstream-vulkan'
  | 'venus'
  | 'cross-domain'
  | 'drm'
  | 'gfxstream-magma'
  | 'gfxstream-gles'
  | 'gfxstream-composer'

/** The virtio-gpu: `--gpu`. At most one. `{}` is a plain 2d one. */
export interface Gpu {
  readonly backend?: '2d' | 'virglrenderer' | 'gfxstream' | undefined
  readonly maxNumDisplays?: number | undefined
  readonly audioDeviceMode?: 'per-surface' | 'one-global' | undefined
  readonly displays?: readonly GpuDisplay[] | undefined
  readonly egl?: boolean | undefined
  readonly gles?: boolean | undefined
  readonly glx?: boolean | undefined
  readonly surfaceless?: boolean | undefined
  readonly vulkan?: boolean | undefined
  readonly wsi?: 'vk' | undefined
  readonly udmabuf?: boolean | undefined
  readonly cachePath?: string | undefined
  readonly cacheSize?: string | undefined
  readonly pciAddress?: PciAddress | undefined
  /** Bytes, a power of two. Default 8 GiB. */
  readonly pciBarSize?: bigint | undefined
  readonly contextTypes?: readonly GpuContextType[] | undefined
  readonly externalBlob?: boolean | undefined
  readonly systemBlob?: boolean | undefined
  readonly fixedBlobMapping?: boolean | undefined
  /** Not with the sandbox: use `gpuRenderServer`. */
  readonly implicitRenderServer?: boolean | undefined
  readonly rendererFeatures?: string | undefined
  readonly snapshotScratchPath?: string | undefined
}

const contextTypes: readonly GpuContextType[] = [
  'virgl',
  'virgl2',
  'gfxstream-vulkan',
  'venus',
  'cross-domain',
  'drm',
  'gfxstream-magma',
  'gfxstream-gles',
  'gfxstream-composer',
]

const context = choice(contextTypes)

const contexts: Shape<readonly GpuContextType[]> = {
  print: (types) => {
    if (!Array.isArray(types) || types.length === 0) refuse('expected at least one context type')
    return types.map((type) => context.print(type)).join(':')
  },
  read: (cursor) =>
    text({ name: 'context-types' })
      .read(cursor)
      .split(':')
      .map(
        (word) =>
          contextTypes.find((type) => type === word) ??
          cursor.fail(`'${word}' would be ignored, before this`),
      ),
}

const size = integer(1, 0x7fff_ffff)
const pair = list(size, { least: 2, most: 2 })

const windowed: Shape<readonly [number, number]> = {
  print: (size) => `windowed${pair.print(size)}`,
  read: (cursor: Cursor) => {
    const mode = cursor.identifier()
    if (mode !== 'windowed')
      cursor.fail(`Linux has no display mode '${mode}' but windowed[WIDTH,HEIGHT], before this`)
    const [width, height] = pair.read(cursor)
    return [width!, height!]
  },
}

/** How `--gpu-display` is written. */
export const gpuDisplay: Shape<GpuDisplay> = record<GpuDisplay>({
  windowed: required('mode', windowed),
  hidden: optional('hidden', flag),
  refreshRate: optional('refresh-rate', u32),
  dpi: optional('dpi', pair),
})

const wholeGpu = record<Gpu>(
  {
    backend: optional('backend', choice(['2d', 'virglrenderer', 'gfxstream'], { '2D': '2d' })),
    maxNumDisplays: optional('max-num-displays', integer(1, 16)),
    audioDeviceMode: optional('audio-device-mode', choice(['per-surface', 'one-global'])),
    displays: optional('displays', list(gpuDisplay, { least: 1, most: 16 })),
    egl: optional('egl', flag),
    gles: optional('gles', flag),
    glx: optional('glx', flag),
    surfaceless: optional('surfaceless', flag),
    vulkan: optional('vulkan', flag),
    wsi: optional('wsi', choice(['vk'])),
    udmabuf: optional('udmabuf', flag),
    cachePath: optional('cache-path', path('cachePath')),
    cacheSize: optional('cache-size', text({ name: 'cacheSize' })),
    pciAddress: optional('pci-address', pciAddress),
    pciBarSize: optional('pci-bar-size', bounded64(1n)),
    contextTypes: optional('context-types', contexts),
    externalBlob: optional('external-blob', flag),
    systemBlob: optional('system-blob', flag),
    fixedBlobMapping: optional('fixed-blob-mapping', flag),
    implicitRenderServer: optional('implicit-render-server', flag),
    rendererFeatures: optional('renderer-features', text({ name: 'rendererFeatures' })),
    snapshotScratchPath: optional('snapshot-scratch-path', path('snapshotScratchPath')),
  },
  {
    check: ({ pciBarSize }) =>
      pciBarSize !== undefined && (pciBarSize & (pciBarSize - 1n)) !== 0n
        ? 'pciBarSize must be a power of two'
        : undefined,
  },
)

/** How `--gpu` is written. */
export const gpu: Shape<Gpu> = wholeGpu

/** `--gpu-render-server` */
export interface GpuRenderServer {
  readonly path: string
  readonly cachePath?: string | undefined
  readonly cacheSize?: string | undefined
  readonly fozDbListPath?: string | undefined
  readonly precompiledCachePath?: string | undefined
  readonly ldPreloadPath?: string | undefined
}

/** How `--gpu-render-server` is written. */
export const gpuRenderServer: Shape<GpuRenderServer> = record<GpuRenderServer>({
  path: required('path', path('path')),
  cachePath: optional('cache-path', path('cachePath')),
  cacheSize: optional('cache-size', text({ name: 'cacheSize' })),
  fozDbListPath: optional('foz-db-list-path', path('fozDbListPath')),
  precompiledCachePath: optional('precompiled-cache-path', path('precompiledCachePath')),
  ldPreloadPath: optional('ld-preload-path', text({ name: 'ldPreloadPath' })),
})

interface Source {
  /** A Unix stream socket that already listens (crosvm connects), or for `evdev` a device. */
  readonly path: string
}

interface Touch extends Source {
  /** Default 1280. */
  readonly width?: number | undefined
  /** Default 1024. */
  readonly height?: number | undefined
  readonly name?: string | undefined
}

/** A virtio-input device: `--input`. */
export type InputDevice =
  | ({ readonly kind: 'evdev' | 'keyboard' | 'mouse' | 'rotary' | 'switches' } & Source)
  | ({ readonly kind: 'single-touch' | 'multi-touch' | 'trackpad' | 'multi-touch-trackpad' } & Touch)
  | { readonly kind: 'custom'; readonly path: string; readonly configPath: string }

const source = variant<Source>({ path: required('path', path('path')) })
const touch = variant<Touch>({
  path: required('path', path('path')),
  width: optional('width', u32),
  height: optional('height', u32),
  name: optional('name', text({ name: 'name' })),
})

/** How `--input` is written. */
export const inputDevice = tagged<InputDevice>({
  evdev: source,
  keyboard: source,
  mouse: source,
  rotary: source,
  switches: source,
  'single-touch': touch,
  'multi-touch': touch,
  trackpad: touch,
  'multi-touch-trackpad': touch,
  custom: variant<{ readonly path: string; readonly configPath: string }>({
    path: required('path', path('path')),
    configPath: required('config-path', path('configPath')),
  }),
} as never) as Shape<InputDevice>

/** A virtio-snd card: `--virtio-snd`. */
export interface SoundDevice {
  readonly capture?: boolean | undefined
  /** Default `null`. */
  readonly backend?: 'null' | 'file' | 'cras' | 'aaudio' | undefined
  readonly outputDevices?: number | undefined
  readonly inputDevices?: number | undefined
  readonly outputStreams?: number | undefined
  readonly inputStreams?: number | undefined
  readonly playbackPath?: string | undefined
  readonly playbackSize?: number | undefined
  readonly cardIndex?: number | undefined
}

const BACKENDS = ['null', 'file', 'cras', 'aaudio'] as const
const backend = text(
  { name: 'backend', pattern: { test: /^(null|file|cras|aaudio)$/, says: `one of ${BACKENDS.join(', ')}` } },
  'borrowed',
) as Shape<(typeof BACKENDS)[number]>

/** How `--virtio-snd` is written. */
export const soundDevice: Shape<SoundDevice> = record<SoundDevice>({
  capture: optional('capture', flag),
  backend: optional('backend', backend),
  outputDevices: optional('num_output_devices', u32),
  inputDevices: optional('num_input_devices', u32),
  outputStreams: optional('num_output_streams', u32),
  inputStreams: optional('num_input_streams', u32),
  playbackPath: optional('playback_path', path('playbackPath')),
  playbackSize: optional('playback_size', integer(0, Number.MAX_SAFE_INTEGER)),
  cardIndex: optional('card_index', u32),
})

/** The hypervisor of the host: `--hypervisor`. Default: the first device that exists. */
export type Hypervisor =
  | { readonly kind: 'kvm'; readonly device?: string | undefined }
  | { readonly kind: 'geniezone'; readonly device?: string | undefined }
  | { readonly kind: 'halla'; readonly device?: string | undefined }
  | {
      readonly kind: 'gunyah'
      readonly device?: string | undefined
      readonly trustedVmId?: number | undefined
      readonly trustedVmPasId?: number | undefined
    }

const device = optional('device', path('device'))
const onDevice = variant<{ readonly device?: string | undefined }>({ device })

/** How `--hypervisor` is written. */
export const hypervisor: Shape<Hypervisor> = tagged<Hypervisor>({
  kvm: onDevice,
  geniezone: onDevice,
  halla: onDevice,
  gunyah: variant<Omit<Extract<Hypervisor, { kind: 'gunyah' }>, 'kind'>>({
    device,
    trustedVmId: optional('qcom_trusted_vm_id', integer(0, 0xffff)),
    trustedVmPasId: optional('qcom_trusted_vm_pas_id', u32),
  }),
})

/** Who emulates the interrupt controllers: `--irqchip`. */
export type IrqChip =
  | { readonly kind: 'kernel'; readonly allowVgicIts?: boolean | undefined }
  | { readonly kind: 'split' }
  | { readonly kind: 'userspace' }

/** How `--irqchip` is written. */
export const irqChip: Shape<IrqChip> = tagged<IrqChip>({
  kernel: variant<{ readonly allowVgicIts?: boolean | undefined }>({
    allowVgicIts: optional('allow-vgic-its', flag),
  }),
  split: unit(),
  userspace: unit(),
})
