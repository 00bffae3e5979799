const numbers = new Intl.NumberFormat('en');

/** A number with its thousands marked. */
export const number = (value: number): string => numbers.format(value);
