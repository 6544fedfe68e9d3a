/** The native calls: a negative number is `-errno`. Wrong arguments throw. */
export interface KvmCalls {
  /** For requests whose argument is a number, or nothing (`0n`). */
  ioctlNumber(fd: number, request: number, argument: bigint): number
  /** For requests whose argument is a structure; `bytes` has at least the size that the request names. */
  ioctlBytes(fd: number, request: number, bytes: Uint8Array): number
  /** The start of a file, shared with it. Unmapped when nothing can reach it any more. */
  map(fd: number, length: number): ArrayBuffer | number
  /** Zeroed pages of their own. Unmapped when nothing can reach them any more: hold on to them. */
  mapAnonymous(length: number): ArrayBuffer | number
  addressOf(buffer: ArrayBuffer): bigint
  /** Ends this process after `seconds`, or with the thread that started it. */
  endWithParentOrAfter(seconds: number): number
}

/** What the tiny guest needs besides: opening the device, and closing what KVM hands out. */
export interface KvmDevice {
  /** A descriptor of /dev/kvm, or `-errno`. */
  open(): number
  close(fd: number): void
}
