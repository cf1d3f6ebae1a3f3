/** The text of an operator's token: `bsw_ID_SECRET`. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto'

/** 256 bits: nobody guesses one, whatever the rate. */
export const secretBytes = 32
/** Enough to tell 1,024 tokens apart. */
export const idBytes = 4

const form = /^bsw_([0-9a-f]{8})_([A-Za-z0-9_-]{43})$/

/** A token from random bytes: {@link idBytes} and {@link secretBytes}. */
export function formatToken(id: Uint8Array, secret: Uint8Array): string {
  return `bsw_${Buffer.from(id).toString('hex')}_${Buffer.from(secret).toString('base64url')}`
}

/** The id, which may be shown, and the SHA-256 of the secret, hex; undefined if the text is no token. */
export function parseToken(text: string): { readonly id: string; readonly sha256: string } | undefined {
  const [, id, secret] = form.exec(text) ?? []
  if (id === undefined || secret === undefined) return undefined
  return { id, sha256: createHash('sha256').update(secret).digest('hex') }
}

/** Whether two SHA-256 are the same, in a time that does not tell where they differ. */
export function isSameHash(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'))
}
