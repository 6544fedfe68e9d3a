/** What `work` gives; undefined where the kernel says that the file, or the process that it is about, is not there. */
export async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (['ENOENT', 'ENOTDIR', 'ESRCH', 'ENODEV'].includes(code)) return undefined
    throw cause
  }
}
