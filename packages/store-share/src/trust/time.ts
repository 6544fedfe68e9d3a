const DAY_MS = 86_400_000

/** The last instant that four digits of a year can name. */
export const LAST_INSTANT = 253_402_300_799_999

/**
 * `2026-11-22T13:24:20Z` or `2026-11-22T13:24:20.125Z`, RFC 3339 in UTC, as milliseconds since 1970. Undefined
 * for anything else and for days and times that do not exist, leap seconds included.
 */
export function parseInstant(text: string): number | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?Z$/.exec(text)?.slice(1)
  if (parts === undefined) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0] = parts.map((part) =>
    Number(part ?? 0),
  )
  const time = daysSince1970(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms
  return formatInstant(time) === text ? time : undefined
}

export function formatInstant(time: number): string {
  const days = Math.floor(time / DAY_MS)
  const seconds = Math.floor((time - days * DAY_MS) / 1000)
  const ms = time - days * DAY_MS - seconds * 1000
  const { year, month, day } = dateOf(days)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const fraction = ms === 0 ? '' : `.${String(ms).padStart(3, '0')}`
  const clock = `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${clock}${fraction}Z`
}

// The Gregorian calendar repeats every 400 years, which are 146,097 days; a year that begins in March has its
// leap day at the end.

function daysSince1970(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

function dateOf(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return { year, month, day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1 }
}
