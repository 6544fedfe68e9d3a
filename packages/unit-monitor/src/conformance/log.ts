import type { Suite } from './suite.js'

/** What a machine says. */
export function promisesOfLog({ promise, booted, expect }: Suite): void {
  promise(
    'lastLines is bounded, keeps the newest, and says them once',
    async (context) => {
      await using unit = await booted(context, await context.machine())
      await unit.guest.send('say 2000\n')
      expect(await unit.guest.line()).toBe('said')
      await unit.guest.until(() => unit.machine.lastLines().some((line) => line.endsWith('line 1999')))
      const lines = unit.machine.lastLines()
      expect(lines.length <= 1000).toBe(true)
      expect(lines.filter((line) => line.endsWith('line 1999')).length).toBe(1)
    },
    300_000,
  )

  promise('what a guest prints is escaped before anybody sees it', async (context) => {
    await using unit = await booted(context, await context.machine())
    const events: string[] = []
    unit.machine.events.on('log', ({ text }) => events.push(text))
    await unit.guest.send('spoil\n')
    expect(await unit.guest.line()).toBe('said')
    await unit.guest.until(() => events.some((line) => line.includes('end')))
    for (const line of [...events, ...unit.machine.lastLines()])
      expect(/[\p{Cc}\p{Cf}]/u.test(line)).toBe(false)
    expect(events.some((line) => line.includes('\\x1b[31mred'))).toBe(true)
  })
}
