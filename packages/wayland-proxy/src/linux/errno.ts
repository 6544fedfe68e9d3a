/** What the kernel called it: ENOENT and the like. */
export function codeOf(failure: unknown): string {
  return (failure as { code?: string }).code ?? 'unknown'
}
