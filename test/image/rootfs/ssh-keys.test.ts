import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseKeys } from '../../../image/rootfs/ssh-keys.js'

const key =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9l7pRXHtTzGBTgEoyl6lq8U1oqrX5VsnAKq8SvVkE operator@example'

test('keys are taken with their options and comments, the rest of the file is not', () => {
  const text = `# ours\n\n${key}\r\nfrom="10.0.0.0/8",no-pty ${key}\n`
  assert.deepEqual(parseKeys(text), [key, `from="10.0.0.0/8",no-pty ${key}`])
})

test('what is no public key is refused', () => {
  const begin = '-----BEGIN OPENSSH PRIVATE KEY-----'
  assert.throws(() => parseKeys(`${begin}\nAAAA\n`), /private key: give the file that ends in .pub/)
  assert.throws(() => parseKeys('\n# nothing\n'), /no key in it/)
  assert.throws(() => parseKeys(`${key}\nhello world\n`), /line 2 is no public key/)
  // The letters say one kind, the bytes another.
  assert.throws(() => parseKeys(key.replace('ssh-ed25519', 'ssh-rsa')), /line 1/)
  assert.throws(() => parseKeys(`${key}\u0007`), /line 1/)
  assert.throws(() => parseKeys(`${key}\n`.repeat(257)), /more than 256/)
})
