/** YAML text to plain values that know their line and column. Bounded; every failure has a code. */

import type { Document } from 'yaml'
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml'
import { BootswarmError } from './errors.js'
import { CONFIG_BYTES_MAX, CONFIG_DEPTH_MAX, CONFIG_VALUES_MAX } from './limits.js'

/** A parsed text. */
export interface YamlInput {
  readonly value: unknown
  /** `LINE:COLUMN` of the value at a path, or of the nearest that encloses it. */
  readonly placeOf: (path: readonly PropertyKey[]) => string
  /** Whether there is a value at a path. */
  readonly has: (path: readonly PropertyKey[]) => boolean
  /** The same as `placeOf` of a key. */
  readonly placeOfKey: (path: readonly PropertyKey[]) => string
}

/**
 * Reads one YAML 1.2 document. Plain scalars in `settings` stay the text that was written (`0644`, `yes`, `1.10`):
 * they are environment variables.
 *
 * @param source the file's name (or the variable's, the flag's), for messages
 * @throws BootswarmError CONFIG_INVALID, CONFIG_UNREADABLE
 */
export function parseYaml(text: string, source: string, root: readonly string[] = []): YamlInput {
  if (text.length > CONFIG_BYTES_MAX) {
    throw new BootswarmError('CONFIG_UNREADABLE', `${source} is larger than ${CONFIG_BYTES_MAX} bytes`)
  }
  const lines = new LineCounter()
  let documents: Document.Parsed[]
  try {
    documents = [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })] as Document.Parsed[]
  } catch (cause) {
    // The parser is recursive: nesting beyond its stack ends here.
    throw new BootswarmError('CONFIG_INVALID', `${source}: not YAML: ${(cause as Error).message}`, { cause })
  }
  const first = documents[0]
  const problem = documents.flatMap((d) => [...d.errors, ...d.warnings])[0]
  if (problem) {
    throw new BootswarmError(
      'CONFIG_INVALID',
      `${source}:${place(lines, problem.pos[0])}: not YAML as expected: ${problem.message}`,
    )
  }
  const second = documents[1]
  if (second) {
    throw new BootswarmError(
      'CONFIG_INVALID',
      `${source}:${place(lines, second.range[0])}: expected one document`,
    )
  }
  const walk = new Walk(first, lines, source)
  const value = first?.contents ? walk.value(first.contents, root) : undefined
  return {
    value: value ?? undefined,
    placeOf: (path) => walk.find(walk.values, path),
    has: (path) => walk.values.has(id(path)),
    placeOfKey: (path) => walk.keys.get(id(path)) ?? walk.find(walk.values, path),
  }
}

class Walk {
  readonly values = new Map<string, string>()
  readonly keys = new Map<string, string>()
  private count = 0
  private readonly document: Document.Parsed | undefined
  private readonly lines: LineCounter
  private readonly source: string

  constructor(document: Document.Parsed | undefined, lines: LineCounter, source: string) {
    this.document = document
    this.lines = lines
    this.source = source
  }

  value(node: Node, path: readonly PropertyKey[]): unknown {
    const at = place(this.lines, node.range?.[0] ?? 0)
    // Aliases are followed, so a small text can stand for very much, or for itself.
    if (++this.count > CONFIG_VALUES_MAX)
      throw this.invalid(at, `expected at most ${CONFIG_VALUES_MAX} values`)
    if (path.length > CONFIG_DEPTH_MAX) throw this.invalid(at, `expected at most ${CONFIG_DEPTH_MAX} levels`)
    if (!this.values.has(id(path))) this.values.set(id(path), at)
    if (isAlias(node)) {
      const target = this.document && node.resolve(this.document)
      if (!target) throw this.invalid(at, `the anchor ${node.source.slice(0, 64)} does not exist`)
      return this.value(target as Node, path)
    }
    if (isMap(node)) return this.map(node.items as Pair<unknown, unknown>[], path)
    if (isSeq(node)) return node.items.map((item, i) => this.value(item as Node, [...path, i]))
    if (!isScalar(node)) throw this.invalid(at, 'not a value')
    return isSetting(path) && typeof node.value !== 'string' ? (node.source ?? '') : node.value
  }

  find(places: ReadonlyMap<string, string>, path: readonly PropertyKey[]): string {
    for (let n = path.length; n >= 0; n--) {
      const found = places.get(id(path.slice(0, n)))
      if (found !== undefined) return found
    }
    return '1:1'
  }

  private map(
    pairs: readonly Pair<unknown, unknown>[],
    path: readonly PropertyKey[],
  ): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    for (const { key, value } of pairs) {
      const at = place(this.lines, (key as Node | null)?.range?.[0] ?? 0)
      if (!isScalar(key)) throw this.invalid(at, 'expected a name')
      const name = typeof key.value === 'string' ? key.value : (key.source ?? '')
      // Assigning it would set the prototype.
      if (name === '__proto__') throw this.invalid(at, '__proto__ is no name')
      this.keys.set(id([...path, name]), at)
      const item = value === null ? '' : this.value(value as Node, [...path, name])
      // A section whose lines are all commented out counts as left out.
      if (path.length === 0 && (item === null || value === null)) continue
      result[name] = value === null && !isSetting([...path, name]) ? null : item
    }
    return result
  }

  private invalid(at: string, why: string): BootswarmError {
    return new BootswarmError('CONFIG_INVALID', `${this.source}:${at}: ${why}`)
  }
}

function isSetting(path: readonly PropertyKey[]): boolean {
  return (
    (path.length === 2 && path[0] === 'settings') ||
    (path.length === 4 && (path[0] === 'nodes' || path[0] === 'profiles') && path[2] === 'settings')
  )
}

function id(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String))
}

function place(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset)
  return `${Math.max(line, 1)}:${Math.max(col, 1)}`
}
