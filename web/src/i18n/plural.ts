/** In English, only one is singular. */
export const pluralEn = (count: number, one: string, many: string) => (count === 1 ? one : many)

/** In French, nought and one are singular. */
export const pluralFr = (count: number, one: string, many: string) => (count < 2 ? one : many)
