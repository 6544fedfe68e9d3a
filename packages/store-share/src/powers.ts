/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** A signal that aborts after `ms`; dispose it to stop the timer. */
  deadline(ms: number): {
    /** Aborts when the milliseconds have passed. */
    readonly signal: AbortSignal
  } & Disposable
}

/** A command that is run to its end. */
export interface CommandRequest {
  /** A name looked up on the search path that the power was built with, or an absolute path. */
  readonly file: string
  /** The arguments, without the command's own name. */
  readonly argv: readonly string[]
  /** Added to the little that the power itself gives a command. */
  readonly environment: Readonly<Record<string, string>>
  /** Aborting kills the command; the outcome is then `killed`. */
  readonly signal: AbortSignal
  /** For each of the two streams. A command that writes more is killed: `output-too-long`. */
  readonly maxOutputBytes: number
}

/** How a command ended, with what it said. */
export type CommandOutcome =
  | {
      readonly kind: 'exited'
      /** 0 to 255. */
      readonly code: number
      /** At most `maxOutputBytes`. */
      readonly stdout: Uint8Array
      /** At most `maxOutputBytes`. */
      readonly stderr: Uint8Array
    }
  | {
      readonly kind: 'killed' | 'output-too-long'
      /** What it had said by then, at most `maxOutputBytes`. */
      readonly stderr: Uint8Array
    }
  | { readonly kind: 'not-found' }

/** Runs a command by argument vector, never through a shell. Resolves when the process has been reaped. */
export type RunCommand = (request: CommandRequest) => Promise<CommandOutcome>

/**
 * File names, paths and link targets as the kernel has them: one character per byte (0 to 255), whatever the
 * encoding. Comparing two of them with `<` compares bytes, which is the order that NAR and EROFS need.
 */
export type ByteString = string

/** SHA-256 of a stream of bytes, which may be computed elsewhere while the next bytes are read. For one caller at a time. */
export interface ChunkHash extends Disposable {
  /** So many of the chunks given last may still be read; the memory of those before is free. */
  readonly mostHeld: number
  /** Resolves when the next chunk can be given. Memory that is shared (SharedArrayBuffer) is not copied. */
  update(chunk: Uint8Array): Promise<void>
  /** 64 lower-case hexadecimal digits. The last call. */
  digest(): Promise<string>
}

/** What an entry of a directory is; NARs hold the first three alone. */
export type EntryKind = 'directory' | 'file' | 'symlink' | 'other'

/** Reads unpacked store paths. Never follows a symbolic link at the end of a path. */
export interface TreeReader {
  /** Undefined when nothing is there. */
  kindOf(path: ByteString): Promise<EntryKind | undefined>
  /** Without `.` and `..`, in any order. */
  list(path: ByteString): Promise<
    readonly {
      /** Base name. */
      readonly name: ByteString
      readonly kind: EntryKind
    }[]
  >
  /** Size in bytes and the owner's executable bit, of a regular file. */
  fileInfo(path: ByteString): Promise<{
    /** Bytes of the file. */
    readonly sizeBytes: number
    /** Its owner's executable bit. */
    readonly executable: boolean
  }>
  /** The target of a symbolic link, as it is written. */
  readLink(path: ByteString): Promise<ByteString>
  /** Fills `buffer` from the start of a file; returns fewer bytes than asked for only at the end of the file. */
  readStart(path: ByteString, buffer: Uint8Array): Promise<number>
  /** `fileInfo` and `readStart` in one, of one and the same file. */
  readFile(
    path: ByteString,
    buffer: Uint8Array,
  ): Promise<{
    /** Bytes of the file. */
    readonly sizeBytes: number
    /** Its owner's executable bit. */
    readonly executable: boolean
    /** Bytes that were read into the buffer. */
    readonly count: number
  }>
  /** Opens a regular file for reading. The caller closes it. */
  open(path: ByteString): Promise<ReadableFile>
}

/** A file that is open for reading. */
export interface ReadableFile {
  /** Fills `buffer` from `position` on; fewer bytes than asked for only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>
  /** Closes the file. */
  close(): Promise<void>
}

/** A new file that one caller writes. */
export interface OutputFile {
  /** Writes all of the bytes at this position, counted in bytes. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Data and metadata are on the disk when this resolves. */
  sync(): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}

/** The directory of a blob cache. Paths are absolute. Failures reject with the system's error (`code`). */
export interface CacheFiles {
  /** Mode 0700, with its parents; one that exists is left as it is. */
  makeDirectory(path: string): Promise<void>
  /** The names in a directory, in no order. */
  list(path: string): Promise<readonly string[]>
  /** Undefined when it does not exist or is no regular file. */
  sizeOf(path: string): Promise<number | undefined>
  /** Undefined when it does not exist or is longer than `maxBytes`. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>
  /** `length` bytes, or fewer at the end of the file. */
  readAt(path: string, position: number, length: number): Promise<Uint8Array>
  /** Never follows a symbolic link at the end of the path. */
  open(path: string): Promise<ReadableFile>
  /** Undefined when it does not exist or is no regular file. */
  identify(path: string): Promise<FileIdentity | undefined>
  /** Fails when the file exists. Writable by its owner alone. */
  create(path: string): Promise<OutputFile>
  /** Mode 0444, of a file that this process has created. */
  makeReadOnly(path: string): Promise<void>
  /** Renames within the file system, replacing what was there, in one step. */
  rename(from: string, to: string): Promise<void>
  /** A second name for a file: `EEXIST` when somebody has it, `EPERM` and its like where there are no hard links. */
  link(from: string, to: string): Promise<void>
  /** Removes a file; one that is not there is no failure. */
  remove(path: string): Promise<void>
  /** Removes an empty directory; one that is not there is no failure. */
  removeDirectory(path: string): Promise<void>
}

/** Which file it is, whatever its names, and what it takes on the disk. */
export interface FileIdentity {
  /** `DEVICE:INODE`; the same in `OpenFiles`. */
  readonly key: string
  /** Bytes that it takes on the disk. */
  readonly allocatedBytes: number
}

/**
 * Keys (see `FileIdentity`) of the files that any process maps or has open right now, as far as this process may
 * see: what the kernel says, whoever is supposed to hold what.
 */
export type OpenFiles = (signal: AbortSignal) => Promise<ReadonlySet<string>>

/** Names the process that owns a temporary file or a lease, so that another can tell whether it still runs. */
export interface Owners {
  /** `[0-9a-z-]+`: this process, told apart from a later one with the same number. */
  readonly self: string
  /** True as well for a process that this one cannot see, such as one in another PID namespace. */
  alive(owner: string): Promise<boolean>
}
