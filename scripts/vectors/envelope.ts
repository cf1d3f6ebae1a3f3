/** Manifest vectors: what is wrong with header, signature, freshness or the form of the JSON. */

import { bodyOf, type Expect, entry, jsonOf, KEY, type ManifestCase, testKey } from './sample.js'

/** The cases. */
export function envelopeCases(): ManifestCase[] {
  const text = jsonOf()
  const body = bodyOf(text)
  const flipped = Buffer.from(body)
  flipped[flipped.length - 3] = (flipped[flipped.length - 3] ?? 0) ^ 1
  const header = (from: string, to: string): Buffer =>
    Buffer.from(body.toString('latin1').replace(from, to), 'latin1')
  const otherNonce = { nonce: 'f'.repeat(32) }
  const unknown = text.replace('{"artifacts"', '{"a":1,"artifacts"')
  return [
    entry('one bit of the JSON is flipped', flipped, 'MANIFEST_BAD_SIGNATURE'),
    entry('signed with another key', bodyOf(text, testKey(2)), 'MANIFEST_BAD_SIGNATURE'),
    entry('the signature is over the JSON alone', bodyOf(text, KEY, ''), 'MANIFEST_BAD_SIGNATURE'),
    entry('a byte is missing at the end', body.subarray(0, -1), 'MANIFEST_BAD_SIGNATURE'),
    entry('a byte is added at the end', Buffer.concat([body, Buffer.from(' ')]), 'MANIFEST_BAD_SIGNATURE'),
    entry('nothing behind the header', body.subarray(0, 111), 'MANIFEST_BAD_SIGNATURE'),
    entry('an unknown member and a bad signature', bodyOf(unknown, testKey(2)), 'MANIFEST_BAD_SIGNATURE'),
    entry('no JSON and a bad signature', bodyOf('{', testKey(2)), 'MANIFEST_BAD_SIGNATURE'),
    entry('no header', Buffer.from('{}'), 'MANIFEST_MALFORMED'),
    entry('empty', Buffer.alloc(0), 'MANIFEST_MALFORMED'),
    entry('another format version', header('-v1', '-v2'), 'MANIFEST_MALFORMED'),
    entry('two spaces', header('v1 ', 'v1  '), 'MANIFEST_MALFORMED'),
    entry('a carriage return', header('==\n', '==\r\n'), 'MANIFEST_MALFORMED'),
    entry('no padding', header('==\n', '\n'), 'MANIFEST_MALFORMED'),
    entry('the header cut', body.subarray(0, 110), 'MANIFEST_MALFORMED'),
    entry('url-safe base64', header(body.toString('latin1', 22, 108), '-'.repeat(86)), 'MANIFEST_MALFORMED'),
    entry('another boot', body, 'MANIFEST_REPLAYED', otherNonce),
    entry('another node', body, 'MANIFEST_WRONG_NODE', { node: 'rig002' }),
    entry('another boot and another node', body, 'MANIFEST_REPLAYED', { ...otherNonce, node: 'rig002' }),
    entry('an unknown member and another boot', bodyOf(unknown), 'MANIFEST_UNKNOWN_FIELD', otherNonce),
    entry('a limit and another boot', bodyOf(jsonOf({ version: 0 })), 'MANIFEST_REPLAYED', otherNonce),
    ...badJson(text).map(([name, json]) => entry(name, bodyOf(json), 'MANIFEST_MALFORMED' satisfies Expect)),
  ]
}

/** Signed rightly, but no canonical JSON. */
function badJson(text: string): [string, string | Uint8Array][] {
  const version = (to: string): string => text.replace('"version":7', `"version":${to}`)
  const site = (to: string): string => text.replace('"site":"test"', `"site":"${to}"`)
  return [
    ['no JSON at all', ''],
    ['cut JSON', text.slice(0, -1)],
    ['white space', text.replace('"dht":', '"dht": ')],
    ['a line feed at the end', `${text}\n`],
    [
      'members out of order',
      text.replace('"site":"test","time_s":1790000000', '"time_s":1790000000,"site":"test"'),
    ],
    ['a member twice', version('7,"version":7')],
    ['a comma too many', version('7,')],
    ['a fraction', version('7.0')],
    ['an exponent', version('7e0')],
    ['a leading zero', version('07')],
    ['a sign', version('-7')],
    ['minus nought', version('-0')],
    ['2^53', version('9007199254740992')],
    ['a number beyond 64 bits', version('9'.repeat(40))],
    ['null', version('null')],
    ['an escape that is not needed', site('\\u0074est')],
    ['an escaped slash', site('te\\/st')],
    ['a long escape where a short one is due', site('te\\u000ast')],
    ['upper-case hex in an escape', site('te\\u001Fst')],
    ['half a surrogate pair', site('\\ud800')],
    ['a raw control character', site('te\u0001st')],
    [
      'bytes that are not UTF-8',
      Buffer.from(jsonOf({ artifacts: [] }).replace('"test"', '"te\xffst"'), 'latin1'),
    ],
    [
      'an encoded surrogate',
      Buffer.from(jsonOf({ artifacts: [] }).replace('"test"', '"\xed\xa0\x80"'), 'latin1'),
    ],
    ['a byte order mark', `\ufeff${text}`],
    ['nested very deep', '['.repeat(20_000)],
    ['nested deep and closed', '['.repeat(1000) + ']'.repeat(1000)],
    ['an array', '[]'],
    ['a string', '"x"'],
  ]
}
