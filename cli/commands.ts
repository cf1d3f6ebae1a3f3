/** The commands of `bootswarm`: each a line here, its module loaded only when it is called. */

/** A command: takes the arguments after its name, returns its exit code (0 fine, 1 failed, 2 wrong arguments). */
export type CommandMain = (args: readonly string[]) => Promise<number>

/** A line of the table. */
export interface Command {
  readonly name: string
  /** One line for the help. */
  readonly summary: string
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
    name: 'config',
    summary: 'check, show, compare and apply what nodes get',
    load: () => import('./config/main.js'),
  },
  {
    name: 'doctor',
    summary: 'check this machine and the LAN for what keeps nodes from booting',
    load: () => import('../doctor/main.js'),
  },
]
