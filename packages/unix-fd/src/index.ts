export type { UnixFdError } from './errors.js'
export type { EventFd } from './eventfd.js'
export { Fd, type Interest, liveFds, type ReadyWatch } from './fd.js'
export type { Inbox, InboxRoom, Room } from './inbox.js'
export type { Access, FileType, Inspection, SocketInspection } from './inspection.js'
export type { AcceptOptions, BackOff, Listener, ListenOptions } from './listening.js'
export { liveMappings, type MapOptions, type Mapping } from './mapping.js'
export type { Memfd, Seal } from './memfd.js'
export type { Pidfd, ProcessEnd } from './pidfd.js'
export type { Pipe } from './pipe.js'
export type { Attached, Found, PeerCredentials, Received, SocketType, UnixSocket } from './socket.js'
export {
  MOST_DESCRIPTORS,
  MOST_MESSAGES,
  type OnReady,
  type Pause,
  type ReadStartTime,
  type SystemCalls,
} from './system-calls.js'
export {
  MOST_PIECES,
  type Opening,
  STAT_DEVICE,
  STAT_INODE,
  STAT_MODE,
  STAT_MOUNT,
  STAT_SIZE,
  STAT_WORDS,
  type TreeCalls,
} from './tree.js'
export { createUnixFd, type UnixFd } from './unix-fd.js'
