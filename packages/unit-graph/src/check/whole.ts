export const MEBIBYTE = 1024 * 1024

export function isWhole(value: unknown, least: number, most: number, step = 1): boolean {
  return (
    Number.isSafeInteger(value) &&
    Number(value) >= least &&
    Number(value) <= most &&
    Number(value) % step === 0
  )
}
