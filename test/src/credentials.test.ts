import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isSigned, parseCredentials, signedText } from '../../src/credentials.js'
import { checkout } from '../support/scratch.js'

interface Case {
  readonly about: string
  readonly header: string
  readonly ticket?: string | null
  readonly method?: string
  readonly target?: string
  readonly body?: string
  readonly counter?: number
  readonly none?: true
  readonly refused?: true
}

const cases = JSON.parse(readFileSync(join(checkout, 'test/vectors/credentials.json'), 'utf8')) as Case[]

test('headers are read as the agent makes them; what is malformed is refused, and not quoted', () => {
  for (const { about, header, none, refused, ticket } of cases) {
    if (refused) {
      assert.throws(
        () => parseCredentials(header),
        ({ code, message }) => code === 'REQUEST_INVALID' && !message.includes('='),
        about,
      )
    } else if (none) assert.equal(parseCredentials(header), undefined, about)
    else assert.equal(parseCredentials(header)?.ticket, ticket ?? undefined, about)
  }
  assert.equal(parseCredentials(undefined), undefined)
})

test('a signature holds for its method, target, number and body alone', () => {
  let checked = 0
  for (const { about, header, method, target, body, counter } of cases) {
    const credentials = parseCredentials(
      cases.some((one) => one.header === header && one.refused) ? undefined : header,
    )
    if (credentials === undefined || method === undefined || target === undefined || body === undefined)
      continue
    assert.equal(credentials.counter, counter)
    const isGood = (m: string, t: string, n: number, b: string) =>
      isSigned({ credentials, text: signedText(m, t, n, Buffer.from(b)) })
    assert.ok(isGood(method, target, credentials.counter, body), about)
    for (const other of [
      isGood('PUT', target, credentials.counter, body),
      isGood(method, `${target}x`, credentials.counter, body),
      isGood(method, target, credentials.counter - 1, body),
      isGood(method, target, credentials.counter, `${body} `),
      isSigned({
        credentials: { ...credentials, key: '00'.repeat(32) },
        text: signedText(method, target, credentials.counter, Buffer.from(body)),
      }),
    ])
      assert.ok(!other, about)
    checked += 1
  }
  assert.ok(checked > 1)
})
