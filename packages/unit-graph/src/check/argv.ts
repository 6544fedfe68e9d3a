/** A program and its arguments, as `execve` can take them. */
export function isArgv(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 4096 &&
    value.every((one) => typeof one === 'string' && !one.includes('\0')) &&
    value[0] !== ''
  )
}
