/** What the superblock of a squashfs says (squashfs 4.0). No I/O. */

const superblockBytes = 96

/** Why a file of this size that begins like a squashfs cannot be mounted; undefined: no reason is seen. */
export function squashfsDamage(head: Uint8Array, sizeBytes: number): string | undefined {
  if (head.length < superblockBytes) return 'it is cut off'
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  const major = bytes.readUInt16LE(28)
  if (major !== 4) return `it is a squashfs of version ${major}, Linux mounts version 4`
  // bytes_used: where the last table ends.
  if (bytes.readBigUInt64LE(40) > sizeBytes) return 'it is cut off'
  return undefined
}
