/** What to mount: one EROFS metadata image over blob devices, and which of its entries become visible. */
export interface StoreMount {
  /** Id in the trailer of the device that holds the metadata image. */
  readonly image: string
  /** Ids of the blob devices, in the order of the image's device table. */
  readonly devices: readonly string[]
  /** Base names (`HASH-NAME`) in the image's root to bind into `/nix/store`. Already bound names are kept. */
  readonly paths: readonly string[]
}

/** A live view: a virtio-fs device whose server grows and shrinks while the unit runs. */
export interface ViewMount {
  /** The device's tag: 1 to 36 characters of ASCII. A unit has one view. */
  readonly tag: string
  /** Base names (`HASH-NAME`) in the view's root to bind into `/nix/store`. Already bound names are kept. */
  readonly paths: readonly string[]
}

/** What the agent did when it was asked to mount. */
export interface StoreMountReport {
  /**
   * Whether the guest kernel really maps file data directly (`dax=always` stuck and a file proves it). Never for
   * a view or for block devices: their data is copied into the guest's page cache.
   */
  readonly dax: boolean
  /** Names that were bound by this call. */
  readonly bound: readonly string[]
}

/** What the unit says of names it took away. It is the unit's claim; a hostile one may keep what it had. */
export interface StoreUnbindReport {
  /** Names that were visible and no longer are. */
  readonly removed: readonly string[]
  /**
   * Those of them that processes run from, hold open, map or stand in. What a process holds it keeps until it lets
   * go; nothing new is found under the name.
   */
  readonly inUse: readonly string[]
  /** How many processes that are. */
  readonly processes: number
}

/** A file system on a disk of the unit's own. */
export interface VolumeMount {
  /** Serial number of the virtio disk: 1 to 20 characters of letters, digits, `-`, `_` and `.`. */
  readonly device: string
  /** What the disk has to hold; it is not made. */
  readonly fileSystem: 'ext4'
  /**
   * Where: absolute and canonical, at most 255 bytes; not `/` or `/run`, nor anything at or below `/proc`, `/sys`,
   * `/dev`, `/nix` and `/run/spectrum`. Directories that are not there are made.
   */
  readonly path: string
  /** False by default. */
  readonly readOnly?: boolean | undefined
}
