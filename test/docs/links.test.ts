/** Every relative link of every page leads to a file, its anchor to a heading, and no page has conflict markers. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const pages = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { encoding: 'utf8' })
  .split('\n')
  .filter((page) => page !== '' && existsSync(page))

/** A heading's anchor as GitHub makes it: lower case, punctuation dropped, spaces to hyphens; repeated ones numbered. */
function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = new Set<string>()
  for (const [, heading = ''] of readFileSync(page, 'utf8').matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const plain = heading.replaceAll(/[`*]|\]\([^)]*\)|\[/g, '').toLowerCase()
    const anchor = plain.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
    const count = seen.get(anchor) ?? 0
    seen.set(anchor, count + 1)
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`)
  }
  return anchors
}

test('every relative link leads to a file, and to a heading of it', () => {
  const broken: string[] = []
  let links = 0
  for (const page of pages) {
    const text = readFileSync(page, 'utf8').replaceAll(/```[\s\S]*?```/g, '')
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      links++
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(file)) broken.push(`${page}: ${target}`)
      else if (anchor !== undefined && !anchorsOf(file).has(anchor))
        broken.push(`${page}: ${target} (heading)`)
    }
  }
  assert.ok(pages.length > 20 && links > 50, `${pages.length} pages, ${links} links`)
  assert.deepEqual(broken, [])
})

test('no page has the conflict markers of an unresolved merge', () => {
  assert.deepEqual(
    pages.filter((page) => /^(?:<{7}|>{7}) /m.test(readFileSync(page, 'utf8'))),
    [],
  )
})
