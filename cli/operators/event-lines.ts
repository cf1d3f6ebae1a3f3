/** Reads a stream of server-sent events. Bounded; pure. */
import type { OperatorEvent } from '../../server/api/operators/schemas.js'
import { BootswarmError } from '../../src/errors.js'

/** Longer than any event, characters. */
const lineLengthMax = 1024 * 1024

/** What has come of a stream. */
export class EventLines {
  readonly #decoder = new TextDecoder()
  #rest = ''

  /**
   * The events that are whole with these bytes.
   *
   * @throws {BootswarmError} API_UNREADABLE
   */
  push(bytes: Uint8Array): OperatorEvent[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > lineLengthMax) throw unreadable()
    return lines.flatMap((line) => {
      if (!line.startsWith('data: ')) return []
      try {
        return [JSON.parse(line.slice('data: '.length)) as OperatorEvent]
      } catch {
        throw unreadable()
      }
    })
  }
}

function unreadable(): BootswarmError {
  return new BootswarmError('API_UNREADABLE', 'the server has sent what are no events')
}
