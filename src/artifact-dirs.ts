/** The three directories of `artifacts/`, by what lies in them. */
export const artifactDirs = { rootfs: 'rootfs', plugin: 'plugins', boot: 'boot' } as const
