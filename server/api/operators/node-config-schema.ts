/** What the configuration gives to a node, as the operators' API shows it (src/shown-node.ts). */
import { z } from 'zod'

const value = z.object({
  value: z.string(),
  by: z
    .string()
    .describe(
      'who gives it: every node, profile gpu (group rigs), node; empty: it follows from the node itself',
    ),
  place: z.string().describe('FILE:LINE:COLUMN, a variable or a flag; empty: nobody gave it'),
})
const choice = value.extend({
  over: z.array(value).describe('what it is stronger than, the strongest first'),
})

/** `GET /nodes/ID/config`. */
export const nodeConfigSchema = z
  .object({
    id: z.string(),
    named: z.boolean().describe('the configuration names it'),
    groups: z.array(z.string()),
    open_groups: z.array(z.string()).describe('groups that it may be in, by what is not known of it'),
    profiles: z.array(z.string()).describe('in rising precedence'),
    hostname: choice,
    rack: value.extend({
      behind: z.array(z.string()).describe('racks that it hangs behind, the nearest first'),
    }),
    rootfs: choice.nullable().describe('null: the newest that no profile names'),
    plugins: z.array(value).describe('none: all'),
    root: choice,
    power: choice.nullable().describe('how it is switched off and on; null: nobody said'),
    kernel_args: z.array(value),
    kernel_command_line: z.string(),
    settings: z.record(z.string(), choice),
  })
  .meta({ id: 'NodeConfig' })
