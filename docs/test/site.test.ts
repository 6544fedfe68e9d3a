import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

interface Entry {
  readonly owner: string
  readonly import: string
  readonly source: string
}

interface Converted {
  readonly project: { readonly children?: readonly { readonly name: string }[] }
  readonly complaints: readonly string[]
}

// TypeDoc's own dialect, without types.
const site: { entries(): Entry[]; convert(modules?: readonly Entry[]): Promise<Converted> } = await import(
  new URL('../site/site.mjs', import.meta.url).href
)

describe('the documentation', { timeout: 180_000 }, () => {
  it('has a word on everything public, no broken link, and a page for every entry of every package', async () => {
    const { project, complaints } = await site.convert()
    expect(complaints).toEqual([])
    expect(project.children?.map(({ name }) => name).sort()).toEqual(
      site
        .entries()
        .map((entry) => entry.import)
        .sort(),
    )
  })

  it('is refused where a symbol has no word, a type cannot be named, or a link leads nowhere', async () => {
    const fixture = (file: string, owner: string) => ({
      owner,
      import: owner,
      source: fileURLToPath(new URL(`./fixture/${file}`, import.meta.url)),
    })
    const { complaints } = await site.convert([
      fixture('undocumented.ts', 'spectrum'),
      fixture('other/unnamed.ts', 'other'),
    ])
    expect(complaints.join('\n')).toMatch(/silent.* does not have any documentation/)
    expect(complaints.join('\n')).toMatch(/Hidden.* is referenced by .*reveal/)
    // TypeDoc itself looks only at the package that it takes the whole site for.
    expect(complaints.join('\n')).toMatch(/Unnamed.* is referenced by .*show/)
    expect(complaints.join('\n')).toMatch(/Failed to resolve link to "nowhere"/)
    expect(complaints).toHaveLength(4)
  })
})
