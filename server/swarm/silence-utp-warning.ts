/**
 * Imported before webtorrent: drops its warning that uTP is missing, which we leave out on purpose. Errors still go
 * to stderr.
 */
console.warn = () => {}
