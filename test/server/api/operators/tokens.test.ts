import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { isSameHash, parseToken } from '../../../../server/api/operators/token-text.js'
import { type StoredToken, Tokens } from '../../../../server/api/operators/tokens.js'
import { BootswarmError } from '../../../../src/errors.js'
import { TOKENS_MAX } from '../../../../src/limits.js'

const author = { who: 'test', address: 'local' }

/** Bytes that count up, so that each token is another. */
function counting(): (bytes: number) => Uint8Array {
  let next = 0
  return (bytes) => {
    next += 1
    const made = Buffer.alloc(bytes)
    made.writeUInt32BE(next, bytes - 4)
    return made
  }
}

function desk(stored: readonly StoredToken[] = [], fails = false) {
  const saved: unknown[] = []
  const save = async (what: object) => {
    if (fails) throw new BootswarmError('CHANGE_NOT_SAVED', 'full')
    saved.push(what)
  }
  const tokens = new Tokens({
    stored,
    save: { made: (token) => save(token), revoked: ({ id }, revokedMs) => save({ id, revokedMs }) },
    random: counting(),
    nowMs: () => 7,
  })
  return { tokens, saved }
}

test('a token is good from when it is saved until it is revoked', async () => {
  const { tokens, saved } = desk()
  assert.equal(tokens.isEmpty, true)
  const { text, token } = await tokens.make('operate', 'ci', author)
  assert.match(text, /^bsw_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/)
  assert.deepEqual(token, {
    id: text.slice(4, 12),
    role: 'operate',
    name: 'ci',
    createdMs: 7,
    revokedMs: null,
  })
  assert.deepEqual(tokens.check(text), token)
  assert.deepEqual(await tokens.revoke(token.id, author), { ...token, revokedMs: 7 })
  assert.equal(tokens.check(text), undefined)
  assert.equal(tokens.isEmpty, false)
  await assert.rejects(tokens.revoke(token.id, author), { code: 'TOKEN_UNKNOWN' })
  await assert.rejects(tokens.revoke('00000000', author), { code: 'TOKEN_UNKNOWN' })
  const sha256 = createHash('sha256').update(text.slice(13)).digest('hex')
  assert.deepEqual(saved, [
    { ...token, sha256 },
    { id: token.id, revokedMs: 7 },
  ])
})

test('what is saved lets nobody in, and neither does half of a token', async () => {
  const { tokens, saved } = desk()
  const { text } = await tokens.make('admin', '', author)
  const { sha256 } = saved[0] as StoredToken
  assert.ok(!JSON.stringify([saved, tokens.list()]).includes(text.slice(13)))
  const other = (await tokens.make('admin', '', author)).text
  const id = text.slice(4, 12)
  const wrong = [
    ...['', 'bsw_', id, sha256, `bsw_${id}_${sha256}`, `${text}A`, text.slice(0, -1), text.toUpperCase()],
    ...[` ${text}`, `${text}\n`, `bsw_${id}_${other.slice(13)}`, `bsw_ffffffff_${text.slice(13)}`],
  ]
  for (const attempt of wrong) assert.equal(tokens.check(attempt), undefined, attempt)
})

test('a change that was not saved was not made', async () => {
  const { tokens: first, saved } = desk()
  const { text, token } = await first.make('view', '', author)
  const { tokens } = desk(saved as StoredToken[], true)
  assert.deepEqual(tokens.check(text), token)
  await assert.rejects(tokens.make('admin', '', author), { code: 'CHANGE_NOT_SAVED' })
  assert.equal(tokens.list().length, 1)
  await assert.rejects(tokens.revoke(token.id, author), { code: 'CHANGE_NOT_SAVED' })
  assert.deepEqual(tokens.check(text), token)
})

test('good tokens are bounded, revoked ones make room', async () => {
  const { tokens } = desk()
  let last = ''
  for (let n = 0; n < TOKENS_MAX; n += 1) last = (await tokens.make('view', '', author)).token.id
  await assert.rejects(tokens.make('view', '', author), { code: 'TOKENS_TOO_MANY' })
  await tokens.revoke(last, author)
  await tokens.make('view', '', author)
})

test('an id that is taken is drawn again', async () => {
  const draws = [1, 2, 1, 3, 4, 5]
  const tokens = new Tokens({
    stored: [],
    save: { made: async () => {}, revoked: async () => {} },
    random: (bytes) => new Uint8Array(bytes).fill(draws.shift() ?? 9),
    nowMs: () => 0,
  })
  assert.equal((await tokens.make('view', '', author)).token.id, '01010101')
  assert.equal((await tokens.make('view', '', author)).token.id, '04040404')
})

test('hashes are compared as a whole', () => {
  const { sha256 = '' } = parseToken(`bsw_00000000_${'A'.repeat(43)}`) ?? {}
  assert.equal(isSameHash(sha256, sha256), true)
  assert.equal(isSameHash(sha256, '0'.repeat(64)), false)
})
