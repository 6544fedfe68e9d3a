import { Interrupted } from './commands.mjs'

/**
 * Turns SIGINT, SIGTERM and SIGHUP into one AbortSignal, so that what has begun is taken back before the
 * program ends. Disposing it gives the signals back to whoever comes next.
 */
export function listenForInterruption() {
  const controller = new AbortController()
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const onSignal = (name) => controller.abort(new Interrupted(name))
  for (const name of names) process.on(name, onSignal)
  return {
    signal: controller.signal,
    close() {
      for (const name of names) process.off(name, onSignal)
    },
  }
}
