/** The commands of `bootswarm`: each a line here, its module loaded only when it is called. */

import { completionOutline } from './completion-outline.js'
import { configOutline } from './config/parts.js'
import {
  actionOutline,
  auditOutline,
  nodeOutline,
  statusOutline,
  tokenOutline,
} from './operators/outlines.js'
import type { Outline } from './outline.js'

/** A command: takes the arguments after its name, and the table; returns its exit code (0 fine, 1 failed, 2 wrong arguments). */
export type CommandMain = (args: readonly string[], commands: readonly Command[]) => Promise<number>

/** A line of the table. */
export interface Command {
  readonly name: string
  /** One line for the help. */
  readonly summary: string
  /** How it is called, for the completion of shells; missing where the command alone knows. */
  readonly outline?: Outline
  readonly load: () => Promise<{ readonly main: CommandMain }>
}

/** All commands, in the order of the help. The first one is run where no command is named. */
export const commands: readonly [Command, ...Command[]] = [
  {
    name: 'start',
    summary: 'run the server (as npm start)',
    load: () => import('./start-command.js'),
  },
  {
    name: 'image',
    summary: 'make what nodes boot: image stage1, image rootfs',
    load: () => import('../image/main.js'),
  },
  {
    name: configOutline.name,
    summary: configOutline.summary,
    outline: configOutline,
    load: () => import('./config/main.js'),
  },
  {
    name: 'doctor',
    summary: 'check this machine and the LAN for what keeps nodes from booting',
    load: () => import('../doctor/main.js'),
  },
  ...[
    { outline: statusOutline, load: () => import('./operators/status-command.js') },
    { outline: nodeOutline, load: () => import('./operators/node-command.js') },
    { outline: actionOutline, load: () => import('./operators/action-command.js') },
    { outline: tokenOutline, load: () => import('./operators/token-command.js') },
    { outline: auditOutline, load: () => import('./operators/audit-command.js') },
    { outline: completionOutline, load: () => import('./completion-command.js') },
  ].map(({ outline, load }) => ({ name: outline.name, summary: outline.summary, outline, load })),
]
