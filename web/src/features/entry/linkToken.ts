/** The secret of a link from a letter. It stands after `#`, which browsers send to nobody. */
export function linkToken(location: { hash: string }): string {
  return new URLSearchParams(location.hash.slice(1)).get('token') ?? ''
}
