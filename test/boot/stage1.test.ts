/** Real machines from the kernel's start to the root file system, through the stage 1 that `image stage1` makes. */
import { describe, test } from 'node:test'
import { Stage1Site } from '../support/stage1.js'

describe('stage 1', { concurrency: 2 }, () => {
  test('fills a root in memory and enters it; the agent lives on', { timeout: 120_000 }, async (t) => {
    const site = await Stage1Site.make(t)
    if (site === undefined) return t.skip('NOT TESTED: needs root')
    const machine = site.boot(t)
    await machine.says(
      /ROOT-IS-UP host=node-525400000007 fs=tmpfs agents=1 swaps=0 plugin=here pool=pool\.example:3333 bulk=1000000\./,
    )
  })
})
