/** A reporter for node's test runner: at the end a line of JSON for each file, with what its tests took. */
import type { TestEvent } from 'node:test/reporters'

/** What the tests of one file took. */
export interface FileTime {
  readonly file: string
  readonly seconds: number
}

export default async function* fileTimes(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const ms = new Map<string, number>()
  for await (const { type, data } of source) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.nesting > 0 || data.file === undefined)
      continue
    ms.set(data.file, (ms.get(data.file) ?? 0) + data.details.duration_ms)
  }
  for (const [file, spent] of ms) yield `${JSON.stringify({ file, seconds: spent / 1000 })}\n`
}

/** Reads what {@link fileTimes} wrote, longest first. */
export function parseFileTimes(text: string): FileTime[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FileTime)
    .sort((a, b) => b.seconds - a.seconds)
}
