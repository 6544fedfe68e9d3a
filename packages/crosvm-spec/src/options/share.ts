import { takeAll } from '../grammar/cpu-set.js'
import { Cursor } from '../grammar/cursor.js'
import { refuse } from '../grammar/refusal.js'
import { choice, count, flag, u32 } from '../grammar/scalar.js'
import {
  decimal,
  part,
  printParts,
  readParts,
  type SeparatedField,
  type SeparatedFields,
  without,
} from '../grammar/separated.js'
import { readWhole, type Shape } from '../grammar/shape.js'
import { checkPath, checkText, quote, readText, resolvePath, text } from '../grammar/text.js'
import { type OwnerMapping, ownerParts } from './owner.js'

/** A host directory over virtio-fs: `--shared-dir …:type=fs`. There is no read-only mode. */
export interface FsShare extends OwnerMapping {
  /** virtio-fs: the guest mounts it with `-t virtiofs TAG`. */
  readonly type: 'fs'
  /** An absolute path of a directory, without `:`, which nothing can escape: use a symbolic link. */
  readonly path: string
  /** At most 36 bytes, without `:`. What the guest mounts by. */
  readonly tag: string
  /**
   * Whether the guest may cache contents: `never` where others change them, `always` where nobody does. Default
   * `auto`: until a file is opened again.
   */
  readonly cache?: 'never' | 'auto' | 'always' | undefined
  /**
   * Seconds for which the guest may believe names and attributes: `timeout`. Default 5; 0 where others change the
   * directory.
   */
  readonly timeoutSeconds?: number | undefined
  /**
   * Seconds for which the guest may believe that a name is not there. Default 0. Not with `asciiCasefold`.
   */
  readonly negativeTimeoutSeconds?: number | undefined
  /**
   * The guest may hold writes back. Only safe where nobody else has the files, and all of them can be read.
   * Default false.
   */
  readonly writeback?: boolean | undefined
  /**
   * An 8 GiB window of guest memory through which the guest maps the host's page cache: `use_dax`. x86-64 only.
   * Default false.
   */
  readonly dax?: boolean | undefined
  /**
   * Keeps `security.*` attributes of the guest, but for SELinux's, as `user.virtiofs.*` on the host. Default
   * false.
   */
  readonly rewriteSecurityXattrs?: boolean | undefined
  /** Names of the same ASCII letters are one, whatever their case. Default false. */
  readonly asciiCasefold?: boolean | undefined
  /** POSIX ACLs, where the host's file system has them. Default true. */
  readonly posixAcl?: boolean | undefined
  /**
   * FUSE_SECURITY_CONTEXT, which writes /proc/thread-self/attr/fscreate. Default true; false where the host
   * forbids that.
   */
  readonly securityContext?: boolean | undefined
  /** How many paths the guest may give owners while it runs, by an ioctl of ARCVM. Default 0. */
  readonly maxDynamicPermissions?: number | undefined
  /** The same of extended attributes. Default 0. */
  readonly maxDynamicXattrs?: number | undefined
  /** User ids, 1 to 64, that may set project quotas of others' files. Needs the feature `arc_quota`. */
  readonly privilegedQuotaUids?: readonly number[] | undefined
  /** MADV_DONTFORK on the guest's memory in this device. Not with the sandbox. Default false. */
  readonly unmapGuestMemoryOnFork?: boolean | undefined
  /**
   * Whose files they are, below each path. Needs the feature `fs_runtime_ugid_map`, which the binary's help does not
   * tell, and counts only where no root is pivoted.
   */
  readonly ugidMap?: readonly UgidRule[] | undefined
}

/** What the guest's owner becomes on the host below one path of a share. */
export interface UgidRule {
  /** Whom the guest sees as the owner of the files there. */
  readonly guestUid: number
  /** Which group it sees. */
  readonly guestGid: number
  /** Who owns them on the host. */
  readonly hostUid: number
  /** Their group on the host. */
  readonly hostGid: number
  /** Permission bits that new files there do not get. */
  readonly umask: number
  /** Within the share, from `/`; without spaces, `;`, `:` and `'`, which separate here. */
  readonly path: string
}

/** A host directory over 9P: `--shared-dir …:type=p9`. There is no read-only mode. */
export interface P9Share extends OwnerMapping {
  /** 9P over virtio: the guest mounts it with `-t 9p -o trans=virtio TAG`. */
  readonly type: 'p9'
  /** An absolute path of a directory, without `:`. */
  readonly path: string
  /** 1 to 36 bytes, without `:`. What the guest mounts by. */
  readonly tag: string
  /** Names of the same ASCII letters are one, whatever their case. Default false. */
  readonly asciiCasefold?: boolean | undefined
}

/** A directory of the host in the guest, by virtio-fs or 9P. */
export type SharedDirectory = FsShare | P9Share

/** The bytes of a virtio-fs tag and, in crosvm, of a 9p tag. */
const LONGEST_TAG = 36

// crosvm splits at ':', joins the parts it keeps with ',' and reads them as key-values: each value is printed
// in that grammar and must then hold no colon.
function inner<T>(key: string, shape: Shape<T>, ...aliases: string[]): SeparatedField<T> {
  return part(
    key,
    (value) => shape.print(value),
    (word, cursor) => readWhole(shape, word, cursor.context),
    ...aliases,
  )
}

const quotaUids: Shape<readonly number[]> = {
  print: (uids) => {
    if (!Array.isArray(uids) || uids.length === 0 || uids.length > 64) refuse('expected 1 to 64 user ids')
    return uids.map((uid) => u32.print(uid)).join(' ')
  },
  read: (cursor) =>
    text({ name: 'user ids' })
      .read(cursor)
      .split(' ')
      .map((uid) => u32.read(new Cursor(uid))),
}

const UGID_NUMBERS = ['guestUid', 'guestGid', 'hostUid', 'hostGid', 'umask'] as const

/** `guestUid guestGid hostUid hostGid umask path;…`, in one text that crosvm borrows from its argument. */
const ugidMap: Shape<readonly UgidRule[]> = {
  print: (rules) => {
    if (!Array.isArray(rules) || rules.length === 0 || rules.length > 64) refuse('expected 1 to 64 rules')
    return quote(rules.map(printUgid).join(';'), 'borrowed')
  },
  read: (cursor) => readText(cursor, 'borrowed').split(';').map(readUgid),
}

function printUgid(rule: UgidRule): string {
  for (const property of Object.keys(rule)) {
    if (property !== 'path' && !UGID_NUMBERS.some((known) => known === property))
      refuse(`unknown property '${property}'`)
  }
  const place = checkPath(rule.path, 'path')
  if (/[ ;:']/.test(place)) refuse("a path here can hold no space, ';', ':' or quote: use a symbolic link")
  return [...UGID_NUMBERS.map((property) => u32.print(rule[property])), place].join(' ')
}

function readUgid(text: string): UgidRule {
  const words = text.trim().split(' ')
  if (words.length !== 6) refuse(`'${text}' is not of the form UID GID UID GID UMASK PATH`)
  const numbers = words.slice(0, 5).map((word) => u32.read(new Cursor(String(decimal(word)))))
  const [guestUid, guestGid, hostUid, hostGid, umask] = numbers as [number, number, number, number, number]
  return { guestUid, guestGid, hostUid, hostGid, umask, path: checkPath(words[5], 'path') }
}

type FsParts = Omit<FsShare, 'type' | 'path' | 'tag'>
const fsParts: SeparatedFields<FsParts> = {
  cache: inner('cache_policy', choice(['never', 'auto', 'always']), 'cache'),
  timeoutSeconds: inner('timeout', count),
  negativeTimeoutSeconds: inner('negative_timeout', count),
  writeback: inner('writeback', flag),
  dax: inner('use_dax', flag, 'dax'),
  rewriteSecurityXattrs: inner('rewrite_security_xattrs', flag, 'rewrite-security-xattrs'),
  asciiCasefold: inner('ascii_casefold', flag),
  posixAcl: inner('posix_acl', flag),
  securityContext: inner('security_ctx', flag),
  maxDynamicPermissions: inner('max_dynamic_perm', count),
  maxDynamicXattrs: inner('max_dynamic_xattr', count),
  privilegedQuotaUids: inner('privileged_quota_uids', quotaUids),
  unmapGuestMemoryOnFork: inner('unmap_guest_memory_on_fork', flag),
  ugidMap: inner('ugid_map', ugidMap),
  ...ownerParts,
}

type P9Parts = Omit<P9Share, 'type' | 'path' | 'tag'>
const p9Parts: SeparatedFields<P9Parts> = {
  asciiCasefold: inner('ascii_casefold', flag),
  ...ownerParts,
}

function checkTag(tag: unknown): string {
  const plain = without(':', tag, 'tag')
  const length = Buffer.byteLength(plain)
  if (length === 0 || length > LONGEST_TAG) refuse(`tag must be 1 to ${LONGEST_TAG} bytes long`)
  return plain
}

function checkCasefold(value: FsParts): void {
  if (value.asciiCasefold && value.negativeTimeoutSeconds) {
    refuse('asciiCasefold needs negativeTimeoutSeconds 0: a cached miss would hide a name of another case')
  }
}

export const sharedDirectory: Shape<SharedDirectory> = {
  print: (value) => {
    const head = [without(':', checkPath(value.path, 'path'), 'path'), checkTag(value.tag)]
    if (value.type === 'fs') {
      const { type, path, tag, ...rest } = value
      checkCasefold(rest)
      return [...head, `type=${type}`, ...printParts(rest, fsParts)].join(':')
    }
    if (value.type !== 'p9') refuse('type must be fs or p9: say which, because crosvm itself assumes p9')
    const { type, path, tag, ...rest } = value
    return [...head, `type=${type}`, ...printParts(rest, p9Parts)].join(':')
  },
  read: (cursor) => {
    const [directory, tag, ...parts] = takeAll(cursor).split(':')
    if (tag === undefined) refuse('expected PATH:TAG')
    const types = parts.filter((word) => word.startsWith('type=')).map((word) => word.slice(5))
    const rest = parts.filter((word) => !word.startsWith('type='))
    // crosvm reads a tag of any length, and finds out that it is too long when it makes the device.
    const head = { path: resolvePath(cursor, directory!, 'path'), tag: without(':', tag, 'tag') }
    const last = types.at(-1) ?? 'p9'
    if (/^(fs|FS)$/.test(last)) {
      const fs = readParts<FsParts>(rest, fsParts, cursor)
      checkCasefold(fs)
      return { type: 'fs', ...head, ...fs }
    }
    if (!/^(9p|9P|p9|P9)$/.test(last)) refuse(`type must be fs or p9, not '${last}'`)
    return { type: 'p9', ...head, ...readParts<P9Parts>(rest, p9Parts, cursor) }
  },
}

/** A Wayland compositor's socket: `--wayland-sock`. Only the one without a name reaches cross-domain. */
export interface WaylandSocket {
  /**
   * An absolute path below 108 bytes, without `,`. Its directory is what the jails get: the compositor may start
   * again there.
   */
  readonly path: string
  /** By which a guest with virtio-wl asks for it. Without `,`, and not empty. */
  readonly name?: string | undefined
}

export const waylandSocket: Shape<WaylandSocket> = {
  print: (value) => {
    const socket = without(',', checkPath(value.path, 'path'), 'path')
    if (value.name === undefined) return socket
    if (value.name === '') refuse('leave the name out for the socket without one')
    return `${socket},name=${without(',', value.name, 'name')}`
  },
  read: (cursor) => {
    const [socket, ...parts] = takeAll(cursor).split(',')
    let name = ''
    for (const word of parts) {
      if (!word.startsWith('name=')) refuse(`unknown part '${word}': only name=NAME may follow the path`)
      name = word.slice(5)
    }
    checkText(name, 'name')
    return { path: resolvePath(cursor, socket!, 'path'), ...(name === '' ? {} : { name }) }
  },
}
