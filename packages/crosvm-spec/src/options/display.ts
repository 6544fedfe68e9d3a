import type { Cursor } from '../grammar/cursor.js'
import { type PciAddress, pciAddress } from '../grammar/network.js'
import { optional, record, required, tagged, unit, variant } from '../grammar/record.js'
import { refuse } from '../grammar/refusal.js'
import { bounded64, choice, flag, integer, list, u32 } from '../grammar/scalar.js'
import type { Shape } from '../grammar/shape.js'
import { path, text } from '../grammar/text.js'

/** A window of the host that shows a screen of the guest. */
export interface GpuDisplay {
  /** Pixels, 1 to 2 ** 31 - 1. */
  readonly windowed: readonly [width: number, height: number]
  /** The window is not shown at first. Default false. */
  readonly hidden?: boolean | undefined
  /** Hertz. Default 60. */
  readonly refreshRate?: number | undefined
  /** Dots per inch, horizontally and vertically: two numbers. Default [320, 320]. */
  readonly dpi?: readonly number[] | undefined
}

/**
 * Protocols of rendering that the guest may speak: names for rutabaga, crosvm's graphics library. `cross-domain`
 * is the one for Wayland.
 */
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
  /** Who renders. Default `2d`: nobody, the guest draws with its processor. */
  readonly backend?: '2d' | 'virglrenderer' | 'gfxstream' | undefined
  /** Scanouts, 1 to 16 (VIRTIO_GPU_MAX_SCANOUTS), which is the default. */
  readonly maxNumDisplays?: number | undefined
  /** A sound device for each surface, or one for all. Default `per-surface`. */
  readonly audioDeviceMode?: 'per-surface' | 'one-global' | undefined
  /**
   * Windows from the start, 1 to `maxNumDisplays`. Others can be added later: `addDisplays`. Default: one.
   */
  readonly displays?: readonly GpuDisplay[] | undefined
  /** The backend renders in an EGL context. Default true. */
  readonly egl?: boolean | undefined
  /** The backend uses OpenGL ES. Default true. */
  readonly gles?: boolean | undefined
  /** The backend renders in a GLX context. Default false. */
  readonly glx?: boolean | undefined
  /** The backend renders without a surface. Default true. */
  readonly surfaceless?: boolean | undefined
  /** Whether the backend supports Vulkan. Default: as the backend decides. */
  readonly vulkan?: boolean | undefined
  /** gfxstream draws on its window with a swapchain of Vulkan. Default: it does not. */
  readonly wsi?: 'vk' | undefined
  /** crosvm f1e797a reads this and does nothing with it. Default false. */
  readonly udmabuf?: boolean | undefined
  /** An absolute path of a directory that is there, for the cache of shaders. Default: none. */
  readonly cachePath?: string | undefined
  /** Its most, as Mesa reads MESA_SHADER_CACHE_MAX_SIZE: `512M`. */
  readonly cacheSize?: string | undefined
  /** Default: the next that is free. */
  readonly pciAddress?: PciAddress | undefined
  /** Bytes, a power of two. Default 8 GiB. */
  readonly pciBarSize?: bigint | undefined
  /** At least one. Default: none. */
  readonly contextTypes?: readonly GpuContextType[] | undefined
  /**
   * Every blob must be exportable as a descriptor. crosvm decides itself: true with the sandbox or
   * `fixedBlobMapping`.
   */
  readonly externalBlob?: boolean | undefined
  /** Told to the renderer: blobs may lie in system memory. Default false. */
  readonly systemBlob?: boolean | undefined
  /** Blobs are mapped at fixed places of a region that is prepared once. Default false. */
  readonly fixedBlobMapping?: boolean | undefined
  /**
   * The backend may start a render server itself. Default false. Not with the sandbox: use `gpuRenderServer`.
   */
  readonly implicitRenderServer?: boolean | undefined
  /** Handed to the renderer as it is, in the renderer's own form. */
  readonly rendererFeatures?: string | undefined
  /** An absolute path of a directory for scratch space of snapshots, for a sandboxed GPU. */
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

/**
 * The process that renders for the GPU: `--gpu-render-server`, experimental. It inherits crosvm's environment.
 */
export interface GpuRenderServer {
  /** An absolute path of its program, such as virgl_render_server. */
  readonly path: string
  /** An absolute path of a directory that is there, for its cache of shaders (MESA_SHADER_CACHE_DIR). */
  readonly cachePath?: string | undefined
  /** Its most, as Mesa reads MESA_SHADER_CACHE_MAX_SIZE: `512M`. */
  readonly cacheSize?: string | undefined
  /**
   * An absolute path of a file that lists read-only caches (MESA_DISK_CACHE_READ_ONLY_FOZ_DBS_DYNAMIC_LIST).
   */
  readonly fozDbListPath?: string | undefined
  /** An absolute path of shaders that were compiled before. */
  readonly precompiledCachePath?: string | undefined
  /** LD_PRELOAD for it, where crosvm's own environment has none; ld.so(8). */
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

/** Where the events of an input device come from. */
export interface InputSource {
  /**
   * A Unix stream socket that already listens (crosvm connects), or for `evdev` a device. Absolute. The socket
   * carries `virtio_input_event`s.
   */
  readonly path: string
}

/** A device that is touched, and its size. */
export interface TouchDevice extends InputSource {
  /** In the device's units, of 32 bits. Default 1280. */
  readonly width?: number | undefined
  /** As `width`. Default 1024. */
  readonly height?: number | undefined
  /** What the guest calls the device. Default: a name of crosvm's. */
  readonly name?: string | undefined
}

/**
 * A virtio-input device: `--input`. An `evdev` of the host is grabbed: the host does not get its events any more.
 * `custom` is described by a file of JSON at `configPath`, an absolute path.
 */
export type InputDevice =
  | ({ readonly kind: 'evdev' | 'keyboard' | 'mouse' | 'rotary' | 'switches' } & InputSource)
  | ({ readonly kind: 'single-touch' | 'multi-touch' | 'trackpad' | 'multi-touch-trackpad' } & TouchDevice)
  /** A device that the file at `configPath` describes, with events from the socket at `path`. */
  | { readonly kind: 'custom'; readonly path: string; readonly configPath: string }

const source = variant<InputSource>({ path: required('path', path('path')) })
const touch = variant<TouchDevice>({
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
  /** Whether the guest can record. Default false. */
  readonly capture?: boolean | undefined
  /** Where sound goes. Default `null`: nowhere. `cras` and `aaudio` by feature of the binary. */
  readonly backend?: 'null' | 'file' | 'cras' | 'aaudio' | undefined
  /** PCM devices for playing. Default 1. */
  readonly outputDevices?: number | undefined
  /** PCM devices for recording. Default 1. */
  readonly inputDevices?: number | undefined
  /** Streams of each device for playing. Default 1. */
  readonly outputStreams?: number | undefined
  /** Streams of each device for recording. Default 1. */
  readonly inputStreams?: number | undefined
  /** An absolute path of a directory for what is played, with `backend: 'file'`. */
  readonly playbackPath?: string | undefined
  /** Bytes of a file there, allocated at once. Default 0. */
  readonly playbackSize?: number | undefined
  /** ALSA's number of the card. Default 0. */
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

/**
 * The hypervisor of the host: `--hypervisor`. Default: the first device that exists. `device` is an absolute
 * path. All but `kvm` are for aarch64, by feature of the binary; `trustedVmId` has 16 bits, `trustedVmPasId` 32.
 */
export type Hypervisor =
  | {
      readonly kind: 'kvm'
      /** Absolute path of its device node. */
      readonly device?: string | undefined
    }
  | {
      readonly kind: 'geniezone'
      /** Absolute path of its device node. */
      readonly device?: string | undefined
    }
  | {
      readonly kind: 'halla'
      /** Absolute path of its device node. */
      readonly device?: string | undefined
    }
  | {
      readonly kind: 'gunyah'
      /** Absolute path of its device node. */
      readonly device?: string | undefined
      /** 16 bits. */
      readonly trustedVmId?: number | undefined
      /** 32 bits. */
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

/**
 * Who emulates the interrupt controllers: `--irqchip`. `split` leaves the local APICs to the kernel, on x86-64
 * with KVM. `allowVgicIts`: an ITS for message-signalled interrupts, aarch64, default false.
 */
export type IrqChip =
  /** All of them by the host's kernel. */
  | { readonly kind: 'kernel'; readonly allowVgicIts?: boolean | undefined }
  /** The local APICs by the kernel, the others by crosvm. */
  | { readonly kind: 'split' }
  /** All of them by crosvm. */
  | { readonly kind: 'userspace' }

/** How `--irqchip` is written. */
export const irqChip: Shape<IrqChip> = tagged<IrqChip>({
  kernel: variant<{ readonly allowVgicIts?: boolean | undefined }>({
    allowVgicIts: optional('allow-vgic-its', flag),
  }),
  split: unit(),
  userspace: unit(),
})
