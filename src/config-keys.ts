/**
 * Every single value of the configuration with its names: in the file (`http.port`), as a variable
 * (`BOOTSWARM_HTTP_PORT`) and as a flag (`--http-port`). All derived from the schema.
 */

import type { z } from 'zod'
import { configSchema } from './config.js'

/** How a value is written as text; `yaml`: a list or map in YAML (or JSON). */
export type ConfigKind = 'text' | 'number' | 'boolean' | 'yaml'

/** One value. */
export interface ConfigKey {
  readonly path: readonly string[]
  /** `http.port` */
  readonly name: string
  /** `BOOTSWARM_HTTP_PORT` */
  readonly variable: string
  /** `--http-port` */
  readonly flag: string
  readonly kind: ConfigKind
  /** What it may be, where only a few values are allowed. */
  readonly choices: readonly string[] | undefined
  readonly default: unknown
  readonly description: string
}

/** All values, in the order of the schema. */
export const configKeys: readonly ConfigKey[] = collect(configSchema, [])

/** The names that are known under a path of the file (list indexes count); undefined where any name may stand. */
export function knownNames(path: readonly PropertyKey[]): string[] | undefined {
  let schema: z.core.$ZodType = configSchema
  for (const step of path) {
    const def = unwrap(schema)
    if (def.type === 'object') {
      const next: z.core.$ZodType | undefined = (def as z.core.$ZodObjectDef).shape[String(step)]
      if (!next) return undefined
      schema = next
    } else if (def.type === 'array') {
      schema = (def as z.core.$ZodArrayDef).element
    } else if (def.type === 'record') {
      schema = (def as z.core.$ZodRecordDef).valueType
    } else {
      return undefined
    }
  }
  const def = unwrap(schema)
  return def.type === 'object' ? Object.keys((def as z.core.$ZodObjectDef).shape) : undefined
}

function collect(schema: z.core.$ZodType, path: readonly string[]): ConfigKey[] {
  const def = unwrap(schema)
  if (def.type === 'object') {
    const { shape } = def as z.core.$ZodObjectDef
    return Object.entries(shape).flatMap(([name, inner]) => collect(inner, [...path, name]))
  }
  const words = path.join('_')
  return [
    {
      path,
      name: path.join('.'),
      variable: `BOOTSWARM_${words.toUpperCase()}`,
      flag: `--${words.replaceAll('_', '-')}`,
      kind: kindOf(def),
      choices:
        def.type === 'enum' ? Object.values((def as z.core.$ZodEnumDef).entries).map(String) : undefined,
      default: (schema._zod.def as z.core.$ZodDefaultDef).defaultValue,
      description: (schema as z.ZodType).description ?? '',
    },
  ]
}

function kindOf(def: z.core.$ZodTypeDef): ConfigKind {
  if (def.type === 'string' || def.type === 'enum') return 'text'
  return def.type === 'number' || def.type === 'boolean' ? def.type : 'yaml'
}

/** The definition below defaults and optionals. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodTypeDef {
  const def = schema._zod.def
  return def.type === 'default' || def.type === 'prefault' || def.type === 'optional'
    ? unwrap((def as z.core.$ZodDefaultDef).innerType)
    : def
}
