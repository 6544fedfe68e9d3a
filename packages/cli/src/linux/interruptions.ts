/** Aborted by the first and by the second of SIGINT, SIGTERM and SIGHUP. What comes after them changes nothing. */
export function interruptions(): { readonly interrupted: AbortSignal; readonly hurried: AbortSignal } {
  const first = new AbortController()
  const second = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => (first.signal.aborted ? second : first).abort(name))
  return { interrupted: first.signal, hurried: second.signal }
}
