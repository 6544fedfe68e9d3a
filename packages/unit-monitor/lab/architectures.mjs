/**
 * What differs between the labs. Each machine emulates the processor's own virtualisation, so that the kernel in it
 * has a KVM that works.
 *
 * `node` is Node's name of the architecture, `triplet` the compiler's; `kernelImage` begins the name of Debian's
 * kernel file; `modules` are loaded in this order: the transport, the host's root, the layer above it, then what
 * the lab is for; `loader` is the dynamic loader that programs of the architecture ask for.
 *
 * `root` is the file system that brings the host's root. virtio-fs is the faster one, but it passes the flags of
 * open(2) on as the guest's architecture numbers them, and POWER's O_LARGEFILE is O_DIRECTORY on x86. 9p translates.
 */
export const architectures = {
  x86_64: {
    node: 'x64',
    triplet: 'x86_64-linux-gnu',
    kernelImage: 'vmlinuz-',
    root: 'virtiofs',
    modules: ['virtio_pci', 'virtio_console', 'virtiofs', 'overlay', 'virtio_rng', 'kvm-amd'],
    console: 'ttyS0',
    // QEMU 7.2 changes a vCPU's pending interrupts at each VMRUN and VMEXIT without the lock that all others take for it
    // (target/i386/tcg/sysemu/svm_helper.c), so now and then one is lost. With a tick at all times it is found again.
    // And the kernel does not try its timer, which fails on a busy host.
    kernelParameters: ['tsc=reliable', 'nohz=off', 'highres=off', 'no_timer_check'],
    qemu: [
      'qemu-system-x86_64',
      ['-machine', 'q35,memory-backend=memory,vmport=off,smbus=off,sata=off,usb=off'],
      ['-cpu', x86Processor()],
    ],
  },

  aarch64: {
    node: 'arm64',
    triplet: 'aarch64-linux-gnu',
    kernelImage: 'vmlinuz-',
    // KVM is part of the kernel: it finds that it was started at EL2.
    root: 'virtiofs',
    modules: ['virtio_pci', 'virtio_console', 'virtiofs', 'overlay', 'virtio_rng'],
    console: 'ttyAMA0',
    kernelParameters: [],
    loader: '/lib/ld-linux-aarch64.so.1',
    qemu: [
      'qemu-system-aarch64',
      ['-machine', 'virt,memory-backend=memory,virtualization=on,gic-version=3'],
      ['-cpu', 'cortex-a72'],
    ],
  },

  ppc64le: {
    node: 'ppc64',
    triplet: 'powerpc64le-linux-gnu',
    kernelImage: 'vmlinux-',
    root: '9p',
    modules: ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay', 'virtio_rng', 'kvm-hv'],
    console: 'hvc0',
    kernelParameters: [],
    loader: '/lib64/ld64.so.2',
    qemu: [
      'qemu-system-ppc64',
      // The emulated processor has none of the mitigations that the machine promises unless told otherwise.
      [
        '-machine',
        [
          ...['pseries', 'x-vof=on', 'memory-backend=memory', 'cap-nested-hv=on', 'cap-ccf-assist=off'],
          ...['cap-cfpc=broken', 'cap-sbbc=broken', 'cap-ibs=broken'],
        ].join(),
      ],
      ['-cpu', 'POWER9'],
    ],
  },
}

/** EPYC is a model with SVM and nested paging; what TCG cannot do is taken out, so that QEMU does not warn of it. */
function x86Processor() {
  const missing = 'rdseed sha-ni fxsr-opt misalignsse 3dnowprefetch osvw topoext nrip-save xsavec'.split(' ')
  return ['EPYC', ...missing.map((feature) => `${feature}=off`)].join(',')
}

/** Whether programs of the lab are programs of this machine. */
export const isNative = (architecture) => architectures[architecture].node === process.arch

/** The C compiler for programs that run in the lab. */
export const compilerFor = (architecture) =>
  isNative(architecture) ? 'gcc' : `${architectures[architecture].triplet}-gcc`
