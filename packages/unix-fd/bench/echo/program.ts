import { unixFd } from '@spectrum/unix-fd/linux'
import { echo, echoWithPromises, INBOX_ROOM } from './conversation.js'

// The other end of our pair: answers on descriptor 3 until the peer closes.
const descriptors = unixFd()._unsafeUnwrap()
const socket = descriptors.adoptSocket(descriptors.adopt(3), 'seqpacket')
if (process.argv[2] === 'promises') await echoWithPromises(socket, new AbortController().signal)
else echo(socket, descriptors.createInbox(INBOX_ROOM)._unsafeUnwrap())
