/** Reads public keys in the form of authorized_keys(5). No I/O. */
import { BootswarmError } from '../../src/errors.js'

const kinds =
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)$/

/** Keys that one root may have. */
const KEYS_MAX = 256

/**
 * The lines with keys, without comments and empty ones.
 *
 * @throws {BootswarmError} USAGE_INVALID for anything else, a private key above all
 */
export function parseKeys(text: string): string[] {
  if (text.includes('PRIVATE KEY')) throw bad('this is a private key: give the file that ends in .pub')
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (lines.length === 0) throw bad('no key in it')
  if (lines.length > KEYS_MAX) throw bad(`more than ${KEYS_MAX} keys`)
  for (const [index, line] of lines.entries()) {
    if (!isKey(line)) throw bad(`line ${index + 1} is no public key`)
  }
  return lines
}

/** `[options] kind base64 [comment]`; the base64 begins with the kind, as a length and its letters (RFC 4253, 6.6). */
function isKey(line: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line) || line.length > 16_384) return false
  const words = line.split(/[ \t]+/)
  return words.some((kind, index) => {
    if (!kinds.test(kind)) return false
    const blob = Buffer.from(words[index + 1] ?? '', 'base64')
    return blob.length > 4 + kind.length && blob.toString('latin1', 4, 4 + blob.readUInt32BE(0)) === kind
  })
}

function bad(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', `--ssh-key: ${message}`)
}
