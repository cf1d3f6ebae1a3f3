/** The project's TypeScript as text: its files and what each of them imports. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { checkout } from './scratch.js'

/** One source file. */
export interface SourceFile {
  /** From the checkout: `server/main.ts`. */
  readonly path: string
  readonly text: string
  /** Files of the project, also types only and dynamic ones. */
  readonly imports: readonly string[]
  /** Files that it starts as a thread or process: `new URL('./worker.js', import.meta.url)`. */
  readonly starts: readonly string[]
  /** Packages and Node's own modules. */
  readonly packages: readonly string[]
}

/** `import ... from 'x'`, `export ... from 'x'`, `import 'x'`, `import('x')`. */
const importPattern =
  /^(?:import|export)\s(?:type\s)?(?:[\w*{][\w\s*{},]*\sfrom\s)?'([^']+)'|\bimport\('([^']+)'\)/gm
const startPattern = /new URL\(\s*'(\.[^']+\.js)'/g

/** Reads all files below these folders. */
export function readSources(folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .sort()
      .map((name) => parse(posix.join(folder, name))),
  )
}

/** The text without comments, each line where it was. */
export function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/(^|\s)\/\/.*$/gm, '$1')
}

function parse(path: string): SourceFile {
  const text = readFileSync(join(checkout, path), 'utf8')
  const named = [...codeOf(text).matchAll(importPattern)].map(([, name, dynamic = '']) => name ?? dynamic)
  const started = [...codeOf(text).matchAll(startPattern)].map(([, name = '']) => name)
  const resolve = (name: string) => posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts')
  // The compiler finds those that are missing; a test may hold the text of another file.
  const isThere = (file: string) => existsSync(join(checkout, file))
  return {
    path,
    text,
    imports: named
      .filter((name) => name.startsWith('.'))
      .map(resolve)
      .filter(isThere),
    starts: started.map(resolve).filter(isThere),
    packages: named.filter((name) => !name.startsWith('.')),
  }
}

/** Groups of files that import each other, each sorted; none: []. */
export function importCircles(files: readonly SourceFile[]): string[][] {
  const importsOf = new Map(files.map(({ path, imports }) => [path, imports]))
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const circles: string[][] = []
  // Tarjan's strongly connected components.
  const visit = (path: string): number => {
    const number = order.size
    order.set(path, number)
    open.push(path)
    let low = number
    for (const next of importsOf.get(path) ?? []) {
      if (!importsOf.has(next)) continue
      if (!order.has(next)) low = Math.min(low, visit(next))
      else if (open.includes(next)) low = Math.min(low, order.get(next) ?? low)
    }
    lowest.set(path, low)
    if (low === number) {
      const group = open.splice(open.indexOf(path))
      if (group.length > 1 || importsOf.get(path)?.includes(path)) circles.push(group.sort())
    }
    return low
  }
  for (const { path } of files) if (!order.has(path)) visit(path)
  return circles
}

const exportPattern = /^export (?:async )?(?:abstract )?(function\*?|const|class|interface|type) (\w+)/gm

/**
 * What is exported and used by nobody, with what to do about it. A name that another file holds counts as used, so
 * this finds no more than what is certain.
 */
export function unusedExports(files: readonly SourceFile[], isTest: (path: string) => boolean): string[] {
  const read = files.map(({ path, text }) => {
    const code = codeOf(text)
    return { path, code, words: code.match(/\w+/g) ?? [] }
  })
  const holders = new Map<string, Set<string>>()
  for (const { path, words } of read)
    for (const word of words) holders.set(word, (holders.get(word) ?? new Set()).add(path))
  return read.flatMap(({ path, code, words }) =>
    [...code.matchAll(exportPattern)].flatMap(([, kind, name = '']) => {
      const users = [...(holders.get(name) ?? [])].filter((user) => user !== path)
      const isUsedInside = words.filter((word) => word === name).length > 1
      // A type that the signature of another export holds is exported with it.
      if (users.length === 0 && kind !== 'interface' && kind !== 'type')
        return [`${path} exports ${name}, which no other file imports`]
      if (users.length === 0 && !isUsedInside) return [`${path} exports ${name}, which is used nowhere`]
      if (!isTest(path) && !isUsedInside && users.every(isTest))
        return [`${path} exports ${name}, which tests alone use`]
      return []
    }),
  )
}
