/** What one agent may still take of the pieces that it was handed. Pure. */

/** A hand-out may be fetched so often by its holder: once more than it takes, for what arrived spoiled. */
const servesPerGrant = 2

/** The hand-outs of one connection. They stay with their holder when they are taken back and given to another one too. */
export class Grants {
  /** Bytes left, by piece. */
  readonly #left = new Map<number, number>()

  /** Nothing is being served, and nothing may be asked for. */
  get isEmpty(): boolean {
    return this.#left.size === 0
  }

  /** It is handed a piece. */
  give(piece: number, pieceBytes: number): void {
    this.#left.set(piece, servesPerGrant * pieceBytes)
  }

  /** It asks for so many bytes of a piece; false where it may not have them. */
  take(piece: number, bytes: number): boolean {
    const left = this.#left.get(piece)
    if (left === undefined || left < bytes) return false
    this.#left.set(piece, left - bytes)
    return true
  }

  /** The agent has announced the piece and needs no more of it. */
  told(piece: number): void {
    this.#left.delete(piece)
  }
}
