/**
 * Imported before webtorrent: its notice that there is no uTP here (we leave it out on purpose) is not
 * for the daemon's log. Errors still go to stderr.
 */
console.warn = () => {}
