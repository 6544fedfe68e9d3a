import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const names = ['SIGINT', 'SIGTERM', 'SIGHUP']
// Ctrl-C in a terminal under npm arrives twice: from the terminal, and once more from npm, which passes it on.
const echoMs = 300

/**
 * Runs a program in the foreground until it ends, and resolves with its exit status (128+n for a signal).
 *
 * The program gets a process group of its own, so that it hears a Ctrl-C exactly once: from here. A second
 * one, later, is passed on as well.
 */
export function runInForeground(file, argv, { cwd, env = {}, stdio = 'inherit' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, { cwd, env: { ...process.env, ...env }, stdio, detached: true })
    const last = new Map()
    const passOn = (name) => {
      const now = Date.now()
      if (now - (last.get(name) ?? Number.NEGATIVE_INFINITY) < echoMs) return
      last.set(name, now)
      child.kill(name)
    }
    for (const name of names) process.on(name, passOn)
    const settle = () => {
      for (const name of names) process.off(name, passOn)
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('exit', (code, signalName) => {
      settle()
      resolve(code ?? 128 + (constants.signals[signalName] ?? 1))
    })
  })
}
