/** Turns what the schema finds wrong into one sentence for people: what was expected, what is there. */

import type { z } from 'zod'

/** `expected …, got …` for an issue of the schema; `value` is the value at its path. */
export function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      if (value === undefined) return 'is required'
      const hint = issue.expected === 'string' && typeof value !== 'object' ? ': put it in quotes' : ''
      return `expected ${article(issue.expected)}, got ${show(value)}${hint}`
    }
    case 'too_small':
      return `expected ${unit(issue.origin, 'at least', issue.minimum)}, got ${show(value)}`
    case 'too_big':
      return `expected ${unit(issue.origin, 'at most', issue.maximum)}, got ${show(value)}`
    case 'invalid_value':
      return `expected one of ${issue.values.map(String).join(', ')}, got ${show(value)}`
    case 'invalid_union': {
      const choice = issue.errors.flat().find(({ code }) => code === 'invalid_value')
      if (choice !== undefined && typeof value === 'string') return describeIssue(choice, value)
      if (!issue.message.startsWith('expected')) {
        return `expected text, a number or true/false, got ${show(value)}`
      }
      return `${issue.message}, got ${show(value)}${typeof value === 'number' ? ': put it in quotes' : ''}`
    }
    case 'invalid_key':
      return issue.issues[0]?.message ?? issue.message
    case 'invalid_format':
    case 'custom':
      return issue.message.startsWith('expected') && value !== undefined && typeof value !== 'object'
        ? `${issue.message}, got ${show(value)}`
        : issue.message
    default:
      return issue.message
  }
}

function article(type: string): string {
  const words: Record<string, string> = {
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'keys and values',
    record: 'keys and values',
    array: 'a list',
  }
  return words[type] ?? type
}

function unit(origin: string, bound: string, n: number | bigint): string {
  if (origin === 'string') return `${bound} ${n} character${Number(n) === 1 ? '' : 's'}`
  if (origin === 'array') return `${bound} ${n} entries`
  return `${bound} ${n}`
}

function show(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'keys and values'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
