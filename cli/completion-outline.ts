/** How `bootswarm completion` is called. */
import type { Outline } from './outline.js'

/** Shells that a script can be made for. */
export const shells = ['bash', 'zsh', 'fish'] as const

/** One of {@link shells}. */
export type Shell = (typeof shells)[number]

/** `bootswarm completion SHELL`. */
export const completionOutline: Outline = {
  name: 'completion',
  summary: `print what makes a shell complete commands: ${shells.join(', ')}`,
  words: 'SHELL',
  details: [
    'bash: bootswarm completion bash > /etc/bash_completion.d/bootswarm',
    'zsh:  bootswarm completion zsh > /usr/local/share/zsh/site-functions/_bootswarm',
    'fish: bootswarm completion fish > ~/.config/fish/completions/bootswarm.fish',
  ],
  flags: [{ name: 'help', description: 'this text' }],
}
